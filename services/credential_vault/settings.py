"""What an operator can set for the vault: the `extra` of its settings file."""

from datetime import timedelta
from pathlib import Path

from keyturn_contracts.catalog import Title
from pydantic import BaseModel, ConfigDict, Field

from shared.settings import Host, ServiceSettings, read_extra


class VaultSettings(BaseModel):
    """Everything has a default: an operator sets what differs."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    trust_roots: Path | None = None
    """Certificates to believe about providers besides the system's: a PEM file, or a folder."""
    allowed_private_hosts: frozenset[Host] = frozenset()
    """Hosts, by name, that may be tried although they are not public."""
    try_seconds: float = Field(default=10, gt=0, le=60)
    """How long one try at a provider may take, from the look-up of its name to its last answer."""
    tries_at_once: int = Field(default=32, ge=1, le=1000)
    """How many tries one process has under way."""
    tries_per_provider: int = Field(default=20, ge=1)
    """How many tries one provider gets within `tries_window_seconds`, from all processes."""
    tries_window_seconds: float = Field(default=10, gt=0)
    binding_wait_seconds: float = Field(default=1, ge=0, le=10)
    """How long a fetch waits for the news of its binding before it is refused."""
    licence_contact: Title = "the operator of your platform"
    """Whom to turn to about what a licence does not cover, as a phrase for people."""

    @property
    def lease(self) -> timedelta:
        """Return how long a worker has a try to itself: longer than the slowest one takes."""
        return timedelta(seconds=self.try_seconds + 5)


def read_vault_settings(settings: ServiceSettings) -> VaultSettings:
    """Read them, or raise `WrongExtra`."""
    return read_extra(settings, VaultSettings)
