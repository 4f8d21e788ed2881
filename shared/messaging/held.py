"""Commands that cannot be applied now: when they are tried again, and what queues behind them."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from keyturn_contracts.message import Key

from shared.decisions import NotYetKnown, Unprocessable
from shared.messaging.envelope import CommandId
from shared.messaging.failures import name_of
from shared.messaging.record import Partition, RawRecord

State = Literal["waits", "retried", "parked", "queued"]
"""`waits` for news; `retried` after a pause; `parked` for a person; `queued` behind one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a command is held before somebody is told."""

    wait: timedelta = timedelta(seconds=3)
    """For news, before it is refused."""
    attempts: int = 12
    """Before it is parked."""
    first_pause: timedelta = timedelta(milliseconds=20)
    longest_pause: timedelta = timedelta(seconds=30)
    rows: int = 500
    """How many are taken up in one transaction."""
    bytes: int = 256 * 1024
    """Of their values together: a few commands that name thousands each, or one larger one."""

    def pause(self, attempts: int) -> timedelta:
        """Return the pause after so many attempts: growing, never above the longest, jittered."""
        doubled = self.first_pause * 2 ** min(attempts - 1, 40)
        return min(doubled, self.longest_pause) * random.uniform(0.75, 1.0)  # noqa: S311  spreads retries


class Place(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def of(cls, record: RawRecord) -> "Place":
        return cls(record.topic, record.partition, record.offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRecord:
    """A held command, taken up: its record is to be read again."""

    record: RawRecord
    key: Key
    state: State
    attempts: int
    first_at: datetime
    is_dropped: bool

    @property
    def place(self) -> Place:
        return Place.of(self.record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a command is held from now on."""

    state: State
    due: datetime | None = None
    attempts: int = 0
    cause: str = ""
    is_alone: bool = False


QUEUED = Standing(state="queued")


@dataclass(frozen=True, slots=True)
class Taken:
    """Commands that were taken up, each key in log order."""

    records: list[HeldRecord]
    cut: frozenset[Key]
    """Keys of which some are left behind those."""
    has_more: bool
    """Whether there may be others that could be taken up now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewlyHeld:
    """A command of this poll that is to be held."""

    record: RawRecord
    key: Key
    id: CommandId
    command: str
    standing: Standing


class HeldKey(NamedTuple):
    """A key with held commands; all of them lie in one partition."""

    partition: Partition
    key: Key


@dataclass(frozen=True, slots=True)
class Due:
    """What is due among the held commands of some partitions."""

    partitions: frozenset[Partition]
    """Those with something to take up together."""
    alone: tuple[HeldKey, ...]
    """Keys whose first is to be tried in a transaction of its own."""
    next_at: datetime | None
    """When the next one is due, of those that are not yet."""
    has_held: bool
    """Whether anything at all is held there."""


def stand(
    cause: Exception | None,
    before: HeldRecord | None,
    limits: Limits,
    now: datetime,
    *,
    is_alone: bool = False,
) -> Standing:
    """Say how a command is held, after what it raised this time.

    `is_alone` where that undid its neighbours' work too: it is then tried apart from them.
    """
    if cause is None:
        return QUEUED
    if isinstance(cause, NotYetKnown):
        attempts = _attempts("waits", before)
        limit = (before.first_at if before else now) + limits.wait
        due = max(now, min(now + limits.pause(attempts), limit))
        return Standing(state="waits", due=due, attempts=attempts, cause=cause.otherwise.reason)
    attempts = _attempts("retried", before)
    if isinstance(cause, Unprocessable) or attempts >= limits.attempts:
        return Standing(state="parked", attempts=attempts, cause=name_of(cause), is_alone=is_alone)
    due = now + limits.pause(attempts)
    return Standing(
        state="retried", due=due, attempts=attempts, cause=name_of(cause), is_alone=is_alone
    )


def _attempts(state: State, before: HeldRecord | None) -> int:
    return before.attempts + 1 if before is not None and before.state == state else 1
