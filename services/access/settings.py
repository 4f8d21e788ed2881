"""What an operator can set for the access service: the `extra` of its settings file."""

from pydantic import BaseModel, ConfigDict, Field

from shared.settings import ServiceSettings, read_extra


class AccessSettings(BaseModel):
    """Everything has a default: an operator sets what differs."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    at_once: int = Field(default=1000, ge=1, le=10_000)
    """How many grants, or other rows, a job handles in one transaction."""
    decisions_kept: int = Field(default=20_000, ge=0, le=1_000_000)
    """How many decisions a process remembers, at about 1 KB each; 0: none."""
    look_every_seconds: float = Field(default=0.2, gt=0, le=0.4)
    """How often a process asks the database what has changed, beside each time it is told."""
    redis_patience_seconds: float = Field(default=0.01, gt=0, le=1)
    """How long Redis is waited for before the database is asked instead."""


def read_access_settings(settings: ServiceSettings) -> AccessSettings:
    """Read them, or raise `WrongExtra`."""
    return read_extra(settings, AccessSettings)
