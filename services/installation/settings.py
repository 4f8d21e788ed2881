"""What an operator can set for the installation service: the `extra` of its settings file."""

from datetime import timedelta

from keyturn_contracts.catalog import Title
from pydantic import BaseModel, ConfigDict, Field

from shared.settings import Host, ServiceSettings, read_extra


class InstallationSettings(BaseModel):
    """Everything has a default: an operator sets what differs."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    platform: Title = "Keyturn"
    """The platform's name for people, as the catalog's: a first-party extension is by it."""
    licence_contact: Title = "the operator of your platform"
    """Whom to reach out to for more than a licence covers, as the end of a sentence."""
    uninstall_seconds: float = Field(default=15 * 60, gt=0)
    """After it an uninstallation is overdue, and says who has not confirmed it."""
    allowed_private_hosts: frozenset[Host] = frozenset()
    """Hosts, by name, that may be reached although they are not on the internet; as the vault's."""
    at_once: int = Field(default=200, ge=1, le=1000)
    """How many installations are followed in one transaction."""

    @property
    def uninstall_within(self) -> timedelta:
        return timedelta(seconds=self.uninstall_seconds)


def read_installation_settings(settings: ServiceSettings) -> InstallationSettings:
    """Read them, or raise `WrongExtra`."""
    return read_extra(settings, InstallationSettings)
