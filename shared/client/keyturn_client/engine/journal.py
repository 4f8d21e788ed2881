"""The engine's log: every command has its epoch and its number, and they rise without a gap.

Every function runs in the caller's transaction, so what a command tells of, its number and its
message change together or not at all.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from keyturn_contracts.ids import new_id
from keyturn_contracts.message import Command
from keyturn_contracts.workflow import (
    NAMED,
    BeginEpoch,
    ConfirmRotation,
    DeleteWorkflows,
    FailedWorkflow,
    ListPart,
    SavedWorkflow,
    SaveWorkflows,
)

from keyturn_client.commands import Prepared, prepare
from keyturn_client.engine import lists


@dataclass(frozen=True, slots=True)
class Who:
    """The engine, as its messages name it."""

    brand: str
    engine_id: str


@dataclass(frozen=True, slots=True)
class Position:
    """Where the engine's own log stands."""

    epoch: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A command's place in the log."""

    epoch: int
    number: int
    command_id: str
    command_type: str


def position(connection: sqlite3.Connection) -> Position:
    return Position(*connection.execute("SELECT epoch, number FROM engine").fetchone())


def begin_epoch(connection: sqlite3.Connection, who: Who, *, above: int) -> Position:
    """Begin an epoch higher than any before and than `above`; what older ones had to say is left.

    What they saved or deleted without an outcome stays noted: `unsettled_of_older_epochs`.
    """
    epoch = max(position(connection).epoch, above) + 1
    connection.execute("DELETE FROM outbox")
    connection.execute("UPDATE engine SET epoch = ?, number = 0", (epoch,))
    whole = lists.whole_standing(connection)
    append(
        connection,
        who,
        BeginEpoch(engine_id=who.engine_id, count=whole.bindings, digest=whole.digest),
    )
    return Position(epoch, 1)


def append(connection: sqlite3.Connection, who: Who, command: Command) -> Entry:
    """Give a command the next number; it is sent once the transaction is committed."""
    at = position(connection)
    prepared = prepare(command, who.brand, new_id())
    entry = Entry(
        epoch=at.epoch,
        number=at.number + 1,
        command_id=prepared.id,
        command_type=prepared.message_type,
    )
    connection.execute("UPDATE engine SET number = ?", (entry.number,))
    connection.execute(
        "INSERT INTO outbox (number, command_id, type, value) VALUES (?, ?, ?, ?)",
        (entry.number, prepared.id, prepared.message_type, prepared.value),
    )
    return entry


def save(
    connection: sqlite3.Connection, who: Who, workflows: Collection[SavedWorkflow]
) -> dict[str, int]:
    """Save workflows; return how many bindings each account has now that it touched."""
    change = lists.save(connection, workflows)
    tell(connection, who, change.workflows, removing=change.removing)
    return change.bindings


def delete(
    connection: sqlite3.Connection, who: Who, workflow_ids: Collection[str]
) -> dict[str, int]:
    """Delete workflows by name, those too that only the service knows of."""
    change = lists.delete(connection, workflow_ids)
    tell_deleted(connection, who, workflow_ids)
    return change.bindings


def tell(
    connection: sqlite3.Connection,
    who: Who,
    workflows: Iterable[SavedWorkflow],
    *,
    removing: Collection[str] = (),
) -> None:
    """Tell of workflows by name, as they are; `removing`: those that lost a binding."""
    for part in lists.in_messages(workflows):
        command = SaveWorkflows(engine_id=who.engine_id, workflows=tuple(part))
        entry = append(connection, who, command)
        names = [one.workflow_id for one in part]
        _note(connection, entry, names, removing=removing)


def tell_deleted(connection: sqlite3.Connection, who: Who, workflow_ids: Iterable[str]) -> None:
    for part in lists.ids_in_messages(workflow_ids):
        command = DeleteWorkflows(engine_id=who.engine_id, workflow_ids=tuple(part))
        _note(connection, append(connection, who, command), part, removing=set(part))


def name(connection: sqlite3.Connection, who: Who, workflow_ids: Collection[str]) -> None:
    """Say by name how these are, whatever the service has on record: as listed, or deleted."""
    listed = lists.load(connection, workflow_ids)
    tell(connection, who, listed.values(), removing=set(listed))
    tell_deleted(connection, who, [one for one in workflow_ids if one not in listed])


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a whole list that has its number."""

    entry: Entry
    after: str
    """The last workflow in it: the next part begins after it."""
    last: bool


def next_part(
    connection: sqlite3.Connection, who: Who, *, list_id: str, scope: str, part: int, after: str
) -> Part:
    """Cut the next part of a whole list, as it is now, and give it its number."""
    workflows, last = lists.cut(connection, scope, after)
    entry = append(
        connection,
        who,
        SaveWorkflows(
            engine_id=who.engine_id,
            workflows=tuple(workflows),
            list=ListPart(id=list_id, scope=scope, part=part, last=last),
        ),
    )
    if scope == lists.EVERYTHING:
        # It names each workflow as it is, so from here on it carries what an earlier save added.
        # It removes nothing: what was removed is left to be said by name.
        _carry(connection, entry, [one.workflow_id for one in workflows])
    return Part(entry=entry, after=workflows[-1].workflow_id if workflows else after, last=last)


def confirm(
    connection: sqlite3.Connection,
    who: Who,
    *,
    account_id: str,
    version: int,
    receipt: str | None,
    failed: Mapping[str, str],
) -> Entry:
    """Confirm a version at this very point of the engine's history.

    `receipt` is of the version that it holds; without one it has let go of the account.
    """
    held = lists.standing(connection, account_id)
    named = sorted(failed.items())[:NAMED]
    return append(
        connection,
        who,
        ConfirmRotation(
            engine_id=who.engine_id,
            account_id=account_id,
            version=version,
            holds=receipt is not None,
            receipt=receipt,
            count=held.bindings,
            digest=held.digest,
            failed=tuple(FailedWorkflow(workflow_id=id_, reason=why) for id_, why in named),
            failed_count=len(failed),
        ),
    )


def unsent(
    connection: sqlite3.Connection, who: Who, *, most: int, most_bytes: int
) -> list[tuple[Entry, Prepared]]:
    """Return the next commands to send, in order: at least one, if there is any."""
    epoch = position(connection).epoch
    found: list[tuple[Entry, Prepared]] = []
    size = 0
    for number, id_, type_, value in connection.execute(
        "SELECT number, command_id, type, value FROM outbox WHERE sent = 0 ORDER BY number LIMIT ?",
        (most,),
    ):
        size += len(value)
        if found and size > most_bytes:
            break
        entry = Entry(epoch=epoch, number=number, command_id=id_, command_type=type_)
        prepared = Prepared(
            id=id_,
            message_type=type_,
            brand=who.brand,
            subject=f"engines/{who.engine_id}",
            value=value,
        )
        found.append((entry, prepared))
    return found


def sent(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Note what the broker acknowledged."""
    connection.executemany(
        "UPDATE outbox SET sent = 1 WHERE number = ? AND command_id = ?",
        [(one.number, one.command_id) for one in entries],
    )


def awaited(connection: sqlite3.Connection, *, most: int) -> list[Entry]:
    """Return the first commands that were sent and have no outcome yet, in order."""
    epoch = position(connection).epoch
    return [
        Entry(epoch=epoch, number=number, command_id=id_, command_type=type_)
        for number, id_, type_ in connection.execute(
            "SELECT number, command_id, type FROM outbox WHERE sent = 1 ORDER BY number LIMIT ?",
            (most,),
        )
    ]


def send_again(connection: sqlite3.Connection) -> None:
    """Have everything without an outcome sent once more: the same bytes, with fresh signatures."""
    connection.execute("UPDATE outbox SET sent = 0")


def settle(connection: sqlite3.Connection, entry: Entry, *, applied: bool) -> None:
    """Note that a command has its outcome; one that was not applied leaves its save unsettled."""
    connection.execute(
        "DELETE FROM outbox WHERE number = ? AND command_id = ?", (entry.number, entry.command_id)
    )
    if applied:
        connection.execute(
            "DELETE FROM unsettled WHERE epoch = ? AND number = ?", (entry.epoch, entry.number)
        )


def accounts_told(connection: sqlite3.Connection, entry: Entry) -> set[str]:
    """Return the accounts that a `SaveWorkflows` without an outcome names."""
    rows = connection.execute(
        "SELECT DISTINCT json_extract(task.value, '$.account_id') FROM outbox, "
        "json_each(CAST(outbox.value AS TEXT), '$.workflows') AS workflow, "
        "json_each(workflow.value, '$.tasks') AS task "
        "WHERE outbox.number = ? AND outbox.command_id = ?",
        (entry.number, entry.command_id),
    )
    return {account_id for (account_id,) in rows}


def resume(connection: sqlite3.Connection, who: Who, *, list_wanted: bool) -> None:
    """Say once more what got lost with older epochs.

    Where a whole list follows, that is what was removed: a list adds by name and removes nothing.
    """
    tell_deleted(connection, who, _lost(connection, listed=False, removals=list_wanted))
    saved = _lost(connection, listed=True, removals=list_wanted)
    for first in range(0, len(saved), lists.PAGE):
        page = saved[first : first + lists.PAGE]
        tell(connection, who, lists.load(connection, page).values())


def is_unsettled(connection: sqlite3.Connection, workflow_ids: Iterable[str]) -> set[str]:
    """Return of which of these the newest save or deletion has no outcome yet."""
    rows = connection.execute(
        "SELECT workflow_id FROM unsettled WHERE workflow_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(workflow_ids)),),
    )
    return {id_ for (id_,) in rows}


def is_settled(connection: sqlite3.Connection) -> bool:
    """Tell whether every command has its outcome."""
    return connection.execute("SELECT 1 FROM outbox LIMIT 1").fetchone() is None


def _lost(connection: sqlite3.Connection, *, listed: bool, removals: bool) -> list[str]:
    """Return what older epochs left unsettled; `removals`: nothing else."""
    rows = connection.execute(
        "SELECT workflow_id FROM unsettled WHERE epoch < (SELECT epoch FROM engine) "
        "AND ? = (workflow_id IN (SELECT workflow_id FROM workflows)) AND removes >= ? "
        "ORDER BY workflow_id",
        (listed, removals),
    )
    return [id_ for (id_,) in rows]


def _note(
    connection: sqlite3.Connection,
    entry: Entry,
    workflow_ids: Iterable[str],
    *,
    removing: Collection[str],
) -> None:
    """Note which command carries the newest of these; what was removed before stays removed."""
    connection.executemany(
        "INSERT INTO unsettled VALUES (?, ?, ?, ?) ON CONFLICT (workflow_id) "
        "DO UPDATE SET epoch = excluded.epoch, number = excluded.number, "
        "removes = max(removes, excluded.removes)",
        [(id_, entry.epoch, entry.number, id_ in removing) for id_ in workflow_ids],
    )


def _carry(connection: sqlite3.Connection, entry: Entry, workflow_ids: Iterable[str]) -> None:
    connection.execute(
        "UPDATE unsettled SET epoch = ?, number = ? "
        "WHERE NOT removes AND workflow_id IN (SELECT value FROM json_each(?))",
        (entry.epoch, entry.number, json.dumps(list(workflow_ids))),
    )
