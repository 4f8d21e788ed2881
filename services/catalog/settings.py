"""What an operator can set for the catalog: the `extra` of its settings file."""

from keyturn_contracts.catalog import SupportDetails, Title
from keyturn_contracts.ids import Id, Slug
from pydantic import BaseModel, ConfigDict, Field

from shared.settings import Host, ServiceSettings, read_extra


class CatalogSettings(BaseModel):
    """Everything has a default: an operator sets what differs."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    platform: Title = "Keyturn"
    """The platform's name for people: a first-party extension is by it."""
    licence_contact: Title = "the operator of your platform"
    """Whom to reach out to for more than a licence covers, as the end of a sentence."""
    support: SupportDetails = Field(
        default_factory=lambda read: SupportDetails(name=f"{read['platform']} support")
    )
    """Of every first-party extension: set where it is reached, and where its documentation is."""
    allowed_private_hosts: frozenset[Host] = frozenset()
    """Hosts, by name, that extensions may declare although they are not public."""
    examples: bool = False
    """Whether the fictional third-party extensions are published too."""
    plans: dict[Id, tuple[Slug, ...]] = Field(default_factory=dict[str, tuple[str, ...]])
    """Plans of one's own; one of a name in `plans.yaml` takes its place."""


def read_catalog_settings(settings: ServiceSettings) -> CatalogSettings:
    """Read them, or raise `WrongExtra`."""
    return read_extra(settings, CatalogSettings)
