"""Messages as the consumer read and verified them: who, which and in what order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Generic, NamedTuple, TypeVar

from keyturn_contracts.actor import Actor
from keyturn_contracts.message import Command, Event, Key

C_co = TypeVar("C_co", bound=Command, covariant=True)
E_co = TypeVar("E_co", bound=Event, covariant=True)


class CommandId(NamedTuple):
    """A sender's own id of a command; unique within its brand and issuer."""

    brand: str
    issuer: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a command was signed over, verbatim: an outsider can check it again."""

    type: str
    topic: str
    value: bytes
    actor: str
    """The compact JWS."""


@dataclass(frozen=True)
class Asked(Generic[C_co]):
    """A command, with who asks for it: verified, and with a key of its own."""

    command: C_co
    id: CommandId
    actor: Actor
    digest: bytes
    """SHA-256 over type, key and value: tells a command that is repeated from an id used twice."""
    at: datetime
    """When the broker appended it: the time a rule may go by."""
    epoch: int | None
    number: int | None
    """Of an engine's command: its place in the engine's log."""
    evidence: Evidence
    trace_parent: str | None = None
    wants_reply: bool = False

    @cached_property
    def key(self) -> Key:
        return self.command.key(self.id.brand)


AskedByKey = Mapping[Key, Sequence[Asked[Command]]]


@dataclass(frozen=True)
class News(Generic[E_co]):
    """An event of another service; `(epoch, sequence)` makes it safe to repeat and reorder."""

    event: E_co
    brand: str
    epoch: int
    sequence: int
    at: datetime
    """When the broker appended it."""

    @cached_property
    def key(self) -> Key:
        return self.event.key(self.brand)


def newest_of_each_key(news: Iterable[News[E_co]]) -> list[News[E_co]]:
    """Return the newest of each key, sorted by key: an upsert then locks its rows in order."""
    newest = {one.key: one for one in sorted(news, key=lambda one: (one.epoch, one.sequence))}
    return [one for _, one in sorted(newest.items())]
