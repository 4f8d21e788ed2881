"""The table of contents of a service: what takes which message."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from keyturn_contracts.message import Command, Event, Key
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.decisions import AppliedToMany, Decision, Refused
from shared.messaging.envelope import Asked, AskedByKey, News

S = TypeVar("S")
C = TypeVar("C", bound=Command)
E = TypeVar("E", bound=Event)

Lock = Callable[[AsyncConnection, AskedByKey], Awaitable[dict[Key, S]]]
"""Load and lock what the commands are about, in the order of keys; what is missing is left out."""
Save = Callable[[AsyncConnection, Mapping[Key, S]], Awaitable[None]]
Decide = Callable[[S | None, Asked[C]], Decision[S, str]]
ApplyBulk = Callable[
    [AsyncConnection, Sequence[Asked[C]]],
    Awaitable[Sequence[AppliedToMany | Refused[object, str]]],
]
"""Apply all of a round's commands of this type, in log order; one answer for each, in that order.

Runs in a savepoint. Where it raises, it is run again with each command alone, and only the one
that raises is held.
"""
SaveNews = Callable[[AsyncConnection, Sequence[News[E]]], Awaitable[None]]


class Entry:
    """One line of the table of contents.

    Without type parameters: `Handlers(*entries: DecidedCommand[Any, Any])` would have the type
    checker infer Any for each entry, and accept a rule that is about another command.
    """


@dataclass(frozen=True, slots=True)
class Aggregate(Generic[S]):
    """What is locked, decided on and saved as one: a statement or two, however many there are.

    `lock` gets the commands, by key, so that of a state with many parts it loads only those that
    they name; `settle` has none to give.
    """

    lock: Lock[S]
    save: Save[S]

    def command(
        self, command: type[C], decide: Decide[S, C], *, drop: Decide[S, C] | None = None
    ) -> "DecidedCommand[S, C]":
        """Have `decide` judge this command; `drop` decides what dropping a held one leaves behind.

        Without `drop`, a dropped command is refused as `dropped` and changes nothing.
        """
        return DecidedCommand(command, self, decide, drop)


@dataclass(frozen=True, slots=True)
class DecidedCommand(Entry, Generic[S, C]):
    """A command about one aggregate."""

    command: type[C]
    aggregate: Aggregate[S]
    decide: Decide[S, C]
    drop: Decide[S, C] | None


@dataclass(frozen=True, slots=True)
class BulkCommand(Entry, Generic[C]):
    """A command that is itself many: applied by statements over the set, a round's all at once."""

    command: type[C]
    apply: ApplyBulk[C]
    drop: ApplyBulk[C] | None = None
    """What dropping held ones leaves behind; without it they are refused as `dropped`."""


@dataclass(frozen=True, slots=True)
class Listener(Entry, Generic[E]):
    """Takes all of a batch's events of a type (subclasses included) at once, repeats included."""

    event: type[E]
    save: SaveNews[E]


_AnyEntry = DecidedCommand[Any, Any] | BulkCommand[Any] | Listener[Any]


class Handlers:
    """A service's entries, in the order in which their aggregates are locked."""

    def __init__(self, *entries: Entry) -> None:
        known = cast("tuple[_AnyEntry, ...]", entries)
        self.decided = {e.command: e for e in known if isinstance(e, DecidedCommand)}
        self.bulks = {e.command: e for e in known if isinstance(e, BulkCommand)}
        self.listeners = [e for e in known if isinstance(e, Listener)]
        self.aggregates = list(dict.fromkeys(e.aggregate for e in self.decided.values()))

    @property
    def commands(self) -> set[type[Command]]:
        return {*self.decided, *self.bulks}
