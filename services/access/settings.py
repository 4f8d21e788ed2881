"""What an operator can set for the access service: the `extra` of its settings file."""

from pydantic import BaseModel, ConfigDict, Field

from shared.settings import ServiceSettings, read_extra


class AccessSettings(BaseModel):
    """Everything has a default: an operator sets what differs."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    at_once: int = Field(default=1000, ge=1, le=10_000)
    """How many grants, or other rows, a job handles in one transaction."""


def read_access_settings(settings: ServiceSettings) -> AccessSettings:
    """Read them, or raise `WrongExtra`."""
    return read_extra(settings, AccessSettings)
