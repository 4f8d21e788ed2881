"""Which commands are known already, and what came of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from keyturn_contracts.ids import time_of_id
from keyturn_contracts.message import Command, CommandApplied, CommandRefused, Key, Outcome
from pydantic import TypeAdapter
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.rows import Rows
from shared.messaging.envelope import CommandId
from shared.messaging.tables import InboxRow

OUTCOME: TypeAdapter[CommandApplied | CommandRefused] = TypeAdapter(Outcome)

OLDEST_ID = timedelta(days=7)
"""How old an id may be when the broker appends its record; as long outcomes are kept at least."""
ID_AHEAD = timedelta(hours=1)
"""How far ahead of the broker's clock the sender's may be."""

_IDS = Rows(InboxRow.brand_id, InboxRow.issuer, InboxRow.id)
_RECALL = select(
    InboxRow.brand_id,
    InboxRow.issuer,
    InboxRow.id,
    InboxRow.digest,
    InboxRow.gives_way,
    InboxRow.outcome,
).where(
    InboxRow.brand_id == _IDS.c.brand_id,
    InboxRow.issuer == _IDS.c.issuer,
    InboxRow.id == _IDS.c.id,
)
_GIVE_WAY = delete(InboxRow).where(
    InboxRow.brand_id == _IDS.c.brand_id,
    InboxRow.issuer == _IDS.c.issuer,
    InboxRow.id == _IDS.c.id,
    InboxRow.gives_way,
)
_NEW = Rows(
    InboxRow.brand_id,
    InboxRow.issuer,
    InboxRow.id,
    InboxRow.digest,
    InboxRow.command,
    InboxRow.kind,
    InboxRow.subject_id,
    InboxRow.gives_way,
    InboxRow.wants_reply,
    InboxRow.trace_parent,
    InboxRow.outcome,
)
_REMEMBER = _NEW.insert_into(InboxRow)

_ABOUT = Rows(InboxRow.brand_id, InboxRow.kind, InboxRow.subject_id, InboxRow.command)
_OPEN = (
    select(
        InboxRow.brand_id,
        InboxRow.kind,
        InboxRow.subject_id,
        InboxRow.issuer,
        InboxRow.id,
        InboxRow.wants_reply,
        InboxRow.trace_parent,
    )
    .where(
        InboxRow.outcome.is_(None),
        InboxRow.brand_id == _ABOUT.c.brand_id,
        InboxRow.kind == _ABOUT.c.kind,
        InboxRow.subject_id == _ABOUT.c.subject_id,
        InboxRow.command == _ABOUT.c.command,
    )
    .order_by(InboxRow.id)
)
_CLOSED = Rows(InboxRow.brand_id, InboxRow.issuer, InboxRow.id, InboxRow.outcome)
_CLOSE = (
    update(InboxRow)
    .where(
        InboxRow.brand_id == _CLOSED.c.brand_id,
        InboxRow.issuer == _CLOSED.c.issuer,
        InboxRow.id == _CLOSED.c.id,
        InboxRow.outcome.is_(None),
    )
    .values(outcome=_CLOSED.c.outcome)
)
_FIND = select(InboxRow.digest, InboxRow.gives_way, InboxRow.outcome)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known of a command. Without an outcome a job still works on it."""

    digest: bytes
    outcome: CommandApplied | CommandRefused | None
    gives_way: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A command to remember."""

    id: CommandId
    key: Key
    command: str
    digest: bytes
    outcome: CommandApplied | CommandRefused | None
    gives_way: bool = False
    wants_reply: bool = False
    trace_parent: str | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """A command that waits for its outcome."""

    id: CommandId
    wants_reply: bool
    trace_parent: str | None


def judge_id(command_id: str, appended_at: datetime) -> Literal["invalid", "id_too_old"] | None:
    """Say why a command with this id is refused, or None: an id carries its own time.

    What is refused for its id is answered the same for ever and never remembered.
    """
    made_at = time_of_id(command_id)
    if made_at is None or made_at - appended_at > ID_AHEAD:
        return "invalid"
    return "id_too_old" if appended_at - made_at > OLDEST_ID else None


async def recall(
    connection: AsyncConnection, ids: Collection[CommandId]
) -> dict[CommandId, Remembered]:
    """Return what is known of these commands from earlier transactions."""
    rows = await connection.execute(_RECALL, _IDS.of(sorted(set(ids))))
    return {
        CommandId(brand, issuer, command_id): _remembered(digest, outcome, gives_way)
        for brand, issuer, command_id, digest, gives_way, outcome in rows
    }


async def remember(
    connection: AsyncConnection, entries: Sequence[Entry], replaced: Collection[CommandId] = ()
) -> None:
    """Store new commands with what came of them; those `replaced` were known and gave way.

    A unique violation means that a concurrent transaction took the same command: the batch is
    rolled back, tried again, and finds it known.
    """
    if replaced:
        await connection.execute(_GIVE_WAY, _IDS.of(sorted(replaced)))
    rows = (
        (
            *one.id,
            one.digest,
            one.command,
            one.key.kind,
            one.key.id,
            one.gives_way,
            one.wants_reply,
            one.trace_parent,
            None if one.outcome is None else one.outcome.to_json().decode(),
        )
        for one in sorted(entries, key=lambda one: one.id)
    )
    await connection.execute(_REMEMBER, _NEW.of(rows))


async def load_open(
    connection: AsyncConnection, command: type[Command], keys: Iterable[Key]
) -> dict[Key, list[Open]]:
    """Return who waits for the outcome of this command, the first who asked in front.

    Under the lock of these aggregates nobody comes and nobody goes.
    """
    waiting: dict[Key, list[Open]] = {}
    rows = _ABOUT.of((*key, command.__name__) for key in sorted(keys))
    for (
        brand,
        kind,
        subject_id,
        issuer,
        command_id,
        wants_reply,
        trace_parent,
    ) in await connection.execute(_OPEN, rows):
        one = Open(CommandId(brand, issuer, command_id), wants_reply, trace_parent)
        waiting.setdefault(Key(brand, kind, subject_id), []).append(one)
    return waiting


async def close(
    connection: AsyncConnection, outcomes: Mapping[CommandId, CommandApplied | CommandRefused]
) -> None:
    """Give open commands their outcomes."""
    rows = (
        (*command_id, outcome.to_json().decode())
        for command_id, outcome in sorted(outcomes.items())
    )
    await connection.execute(_CLOSE, _CLOSED.of(rows))


async def find(connection: AsyncConnection, command_id: CommandId) -> Remembered | None:
    """Return what is known of one command, for its sender; None where nothing is, or not yet."""
    brand, issuer, id_ = command_id
    rows = await connection.execute(
        _FIND.where(InboxRow.brand_id == brand, InboxRow.issuer == issuer, InboxRow.id == id_)
    )
    found = rows.one_or_none()
    return None if found is None else _remembered(found.digest, found.outcome, found.gives_way)


def _remembered(digest: bytes, outcome: str | None, gives_way: bool) -> Remembered:  # noqa: FBT001  a row's columns
    known = None if outcome is None else OUTCOME.validate_json(outcome)
    return Remembered(digest, known, gives_way)
