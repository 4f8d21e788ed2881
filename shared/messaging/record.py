"""A record as the broker delivered it, and what reading it has come to."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from keyturn_contracts.actor import ActorProblem
from keyturn_contracts.envelope import UnreadableReason
from keyturn_contracts.message import Command, Event, Key

from shared.messaging.envelope import Asked, CommandId, News


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRecord:
    """Everything that the broker says of one record; enough to read it again at any time."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int
    timestamp_type: int
    """0: the time is the producer's; 1: the broker appended it then."""

    @property
    def source(self) -> Partition:
        return Partition(self.topic, self.partition)

    @property
    def appended_at(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp_ms / 1000, UTC)


RefusalOnArrival = Literal["invalid", "expired", "id_too_old"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedOnArrival:
    """A command of a verified actor, with a key of its own, that is refused before any rule.

    `expired` gives way to a later record of the same id. What is refused for its very id (too old,
    too far ahead, no UUIDv7) is answered and not remembered: the id alone gives the same answer
    for ever. See `inbox.judge_id`.
    """

    id: CommandId
    key: Key
    type: str
    """As in its header, for example `keyturn.workflow.SaveWorkflows.v1`."""
    digest: bytes
    reason: RefusalOnArrival
    message: str
    """For people; names fields and never their values."""
    at: datetime
    """When the broker appended it."""
    trace_parent: str | None = None
    wants_reply: bool = False


UnreadableCause = (
    UnreadableReason
    | ActorProblem
    | Literal[
        "type_unknown",
        "topic_wrong",
        "key_wrong",
        "brand_foreign",
        "source_wrong",
        "actor_missing",
        "sequence_missing",
        "value_invalid",
        "not_applied",
    ]
)
"""Why a record is kept as unreadable. `not_applied`: news that its listener raised for."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """It cannot be read, or proves nothing about who sent it; it holds no key."""

    reason: UnreadableCause
    detail: str = ""
    """Which header, claim, field or error; never its content."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that no listener of this service takes."""


Content = Asked[Command] | News[Event] | RefusedOnArrival | Unreadable | Ignored

Parse = Callable[[Sequence[RawRecord]], Awaitable[Sequence[Content]]]
"""Read and verify records, one content for each, in their order. Never raises for a record."""


@dataclass(frozen=True, slots=True)
class Received:
    """A record of a poll, and what it says."""

    record: RawRecord
    content: Content
