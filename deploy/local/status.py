"""What a supervisor says about its parts, in a file that others read."""

import time
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.local.folder import DataFolder, write_private
from deploy.local.lock import holder_of

PartState = Literal["starting", "ready", "restarting", "stopped"]


class PartStatus(BaseModel):
    """One part or service."""

    model_config = ConfigDict(extra="forbid")

    state: PartState = "starting"
    pid: int | None = None
    since: float = Field(default_factory=time.time)
    """When it came into this state, in seconds since 1970."""
    restarts: int = 0
    last_exit: str | None = None
    """How it ended last, for example `killed by signal 9`."""


class Status(BaseModel):
    """All of a stack, as its supervisor saw it last."""

    model_config = ConfigDict(extra="forbid")

    supervisor: int
    state: Literal["starting", "ready", "stopping", "failed"] = "starting"
    said: list[str] = Field(default_factory=list[str])
    """Sentences for whoever waits for the start."""
    problem: str | None = None
    exit_code: int = 0
    parts: dict[str, PartStatus] = Field(default_factory=dict[str, PartStatus])

    def write(self, data: DataFolder) -> None:
        write_private(data.status, self.model_dump_json() + "\n", durable=False)


def read_status(data: DataFolder) -> Status | None:
    """Return what the supervisor of this folder says; None when there is no living one."""
    holder = holder_of(data)
    if holder is None:
        return None
    try:
        status = Status.model_validate_json(data.status.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return status if status.supervisor == holder else None


def last_status(data: DataFolder) -> Status | None:
    """Return what the last supervisor said last, living or not."""
    try:
        return Status.model_validate_json(data.status.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def states(parts: Mapping[str, PartStatus]) -> str:
    return ", ".join(f"{name} is {part.state}" for name, part in parts.items())
