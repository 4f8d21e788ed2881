"""What the engine holds: its workflows and their bindings, counted and digested as they change.

Every function runs in the caller's transaction.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from keyturn_contracts.digest import EMPTY, add, binding_digest, from_hex, sum_of, to_hex
from keyturn_contracts.message import MAX_MESSAGE_BYTES
from keyturn_contracts.workflow import (
    EVERYTHING,
    MAX_TASKS,
    SavedTask,
    SavedWorkflow,
)

_ROOM = 1024
"""Bytes that a message has besides its workflows."""
PAGE = 1000
"""How many workflows are read at once."""

Binding = tuple[str, str]
"""Task and account, of one workflow."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How many bindings there are, and their digest."""

    bindings: int
    digest: str


@dataclass(slots=True)
class Change:
    """What a save or a deletion did to the list."""

    workflows: list[SavedWorkflow] = field(default_factory=list[SavedWorkflow])
    """Those that were saved and are not as they were."""
    removing: set[str] = field(default_factory=set[str])
    """Those that lost a binding, or all."""
    bindings: dict[str, int] = field(default_factory=dict[str, int])
    """Of each account that it touched: how many bindings there are now."""


def check_fits(workflow: SavedWorkflow) -> int:
    """Return its size in a message; a ValueError where no message could carry it."""
    text = workflow.to_json()
    if b"\\u0000" in text and _has_nul(workflow):
        raise ValueError("A workflow has a NUL character in one of its texts: take it out.")
    size = len(text) + 1
    if len(workflow.tasks) > MAX_TASKS or size > MAX_MESSAGE_BYTES - _ROOM:
        raise ValueError(
            f"The workflow {workflow.workflow_id[:40]} has {len(workflow.tasks)} tasks and "
            f"{size} bytes: at most {MAX_TASKS} tasks and {MAX_MESSAGE_BYTES - _ROOM} bytes go "
            "into one message. Divide it."
        )
    return size


def _has_nul(workflow: SavedWorkflow) -> bool:
    texts = [workflow.workflow_id, workflow.name, workflow.owner]
    return any("\x00" in one for one in (*texts, *(task.task_id for task in workflow.tasks)))


def in_messages(workflows: Iterable[SavedWorkflow]) -> Iterator[list[SavedWorkflow]]:
    """Divide workflows into what one message can carry each."""
    part: list[SavedWorkflow] = []
    tasks = size = 0
    for workflow in workflows:
        its_size = check_fits(workflow)
        its_tasks = max(1, len(workflow.tasks))
        if part and (tasks + its_tasks > MAX_TASKS or size + its_size > MAX_MESSAGE_BYTES - _ROOM):
            yield part
            part, tasks, size = [], 0, 0
        part.append(workflow)
        tasks += its_tasks
        size += its_size
    if part:
        yield part


def ids_in_messages(workflow_ids: Iterable[str]) -> Iterator[list[str]]:
    """Divide the names of workflows into what one message can carry each."""
    part: list[str] = []
    size = 0
    for workflow_id in workflow_ids:
        # As JSON writes it, in quotes and with a comma.
        its_size = len(json.dumps(workflow_id, ensure_ascii=False).encode()) + 1
        if len(part) == MAX_TASKS or size + its_size > MAX_MESSAGE_BYTES - _ROOM:
            yield part
            part, size = [], 0
        part.append(workflow_id)
        size += its_size
    if part:
        yield part


def save(connection: sqlite3.Connection, workflows: Collection[SavedWorkflow]) -> Change:
    """Put workflows into the list, each in place of what it was."""
    newest = {one.workflow_id: one for one in workflows}
    before = _stored(connection, newest)
    changed: list[SavedWorkflow] = []
    removed: list[tuple[str, str, str]] = []
    added: list[tuple[str, str, str]] = []
    for id_, one in newest.items():
        is_now = _Stored(one.name, one.owner, _bindings(one))
        was = before.get(id_)
        if was == is_now:
            continue
        changed.append(one)
        bindings = was.bindings if was else set[Binding]()
        removed += [(id_, *binding) for binding in bindings - is_now.bindings]
        added += [(id_, *binding) for binding in is_now.bindings - bindings]
    connection.executemany(
        "DELETE FROM bindings WHERE workflow_id = ? AND task_id = ? AND account_id = ?", removed
    )
    connection.executemany("INSERT INTO bindings VALUES (?, ?, ?)", added)
    connection.executemany(
        "INSERT INTO workflows VALUES (?, ?, ?) ON CONFLICT (workflow_id) "
        "DO UPDATE SET name = excluded.name, owner = excluded.owner",
        [(one.workflow_id, one.name, one.owner) for one in changed],
    )
    counts = _count(connection, added=added, removed=removed)
    return Change(changed, {id_ for id_, *_ in removed}, counts)


def delete(connection: sqlite3.Connection, workflow_ids: Collection[str]) -> Change:
    """Take workflows out of the list; what it does not have is passed over."""
    before = _stored(connection, workflow_ids)
    removed = [(id_, *binding) for id_, one in before.items() for binding in one.bindings]
    _remove(connection, "bindings", list(before))
    _remove(connection, "workflows", list(before))
    return Change([], set(before), _count(connection, added=[], removed=removed))


def load(
    connection: sqlite3.Connection, workflow_ids: Collection[str], scope: str = EVERYTHING
) -> dict[str, SavedWorkflow]:
    """Return the workflows that are in the list; with an account as scope, its tasks alone."""
    return {
        workflow_id: SavedWorkflow(
            workflow_id=workflow_id,
            name=stored.name,
            owner=stored.owner,
            tasks=tuple(
                SavedTask(task_id=task_id, account_id=account_id)
                for task_id, account_id in sorted(stored.bindings)
                if scope in {EVERYTHING, account_id}
            ),
        )
        for workflow_id, stored in _stored(connection, workflow_ids).items()
    }


def cut(connection: sqlite3.Connection, scope: str, after: str) -> tuple[list[SavedWorkflow], bool]:
    """Return the next part of a whole list as it is now, and whether it is the last."""
    found = [workflow for page in _pages(connection, scope, after) for workflow in page]
    first = next(in_messages(found), list[SavedWorkflow]())
    return first, len(first) == len(found)


def _pages(
    connection: sqlite3.Connection, scope: str, after: str
) -> Iterator[Collection[SavedWorkflow]]:
    """Yield at most one workflow more than a message carries."""
    left = MAX_TASKS + 1
    while left > 0:
        ids = workflow_ids(connection, scope, after, min(left, PAGE))
        if not ids:
            return
        found = load(connection, ids, scope)
        yield found.values()
        left -= sum(max(1, len(one.tasks)) for one in found.values())
        after = ids[-1]


def workflow_ids(
    connection: sqlite3.Connection, scope: str, after: str = "", most: int = PAGE
) -> list[str]:
    """Return the next ids, in order, of all workflows or of those that use one account."""
    if scope == EVERYTHING:
        text = "SELECT workflow_id FROM workflows WHERE workflow_id > ?2 AND ?1 <> ''"
    else:
        text = (
            "SELECT DISTINCT workflow_id FROM bindings WHERE account_id = ?1 AND workflow_id > ?2"
        )
    rows = connection.execute(f"{text} ORDER BY workflow_id LIMIT ?3", (scope, after, most))
    return [id_ for (id_,) in rows]


def absent(connection: sqlite3.Connection, workflow_ids: Iterable[str]) -> list[str]:
    """Return the workflows of the list that are not among these."""
    connection.execute("CREATE TEMP TABLE given (workflow_id TEXT PRIMARY KEY)")
    connection.executemany(
        "INSERT OR IGNORE INTO given VALUES (?)", ((id_,) for id_ in workflow_ids)
    )
    rows = connection.execute(
        "SELECT workflow_id FROM workflows EXCEPT SELECT workflow_id FROM given"
    ).fetchall()
    connection.execute("DROP TABLE given")
    return [id_ for (id_,) in rows]


def accounts_of(connection: sqlite3.Connection, workflow_id: str) -> list[str]:
    rows = connection.execute(
        "SELECT DISTINCT account_id FROM bindings WHERE workflow_id = ? ORDER BY account_id",
        (workflow_id,),
    )
    return [id_ for (id_,) in rows]


def standing(connection: sqlite3.Connection, account_id: str) -> Standing:
    """Return what the engine holds of one account."""
    row = connection.execute(
        "SELECT bindings, digest FROM holdings WHERE account_id = ?", (account_id,)
    ).fetchone()
    return Standing(*row) if row else Standing(0, EMPTY)


def whole_standing(connection: sqlite3.Connection) -> Standing:
    """Return what the engine holds of all accounts together."""
    rows = connection.execute("SELECT bindings, digest FROM holdings").fetchall()
    return Standing(
        sum(bindings for bindings, _ in rows), to_hex(sum_of(from_hex(one) for _, one in rows))
    )


def holdings(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many bindings each account has, for those that have any."""
    return dict(connection.execute("SELECT account_id, bindings FROM holdings").fetchall())


def _bindings(workflow: SavedWorkflow) -> set[Binding]:
    return {(one.task_id, one.account_id) for one in workflow.tasks}


class _Stored(NamedTuple):
    """A workflow as it stands in the file, in whatever order its tasks were named."""

    name: str
    owner: str
    bindings: set[Binding]


def _stored(connection: sqlite3.Connection, workflow_ids: Iterable[str]) -> dict[str, _Stored]:
    """Return those that are in the list, in the order of their ids."""
    names = json.dumps(list(workflow_ids))
    found = {
        workflow_id: _Stored(name, owner, set())
        for workflow_id, name, owner in connection.execute(
            "SELECT workflow_id, name, owner FROM workflows "
            "WHERE workflow_id IN (SELECT value FROM json_each(?)) ORDER BY workflow_id",
            (names,),
        )
    }
    for workflow_id, task_id, account_id in connection.execute(
        "SELECT workflow_id, task_id, account_id FROM bindings "
        "WHERE workflow_id IN (SELECT value FROM json_each(?))",
        (names,),
    ):
        found[workflow_id].bindings.add((task_id, account_id))
    return found


def _remove(connection: sqlite3.Connection, table: str, workflow_ids: Sequence[str]) -> None:
    connection.execute(
        f"DELETE FROM {table} WHERE workflow_id IN (SELECT value FROM json_each(?))",  # noqa: S608  one of two tables above
        (json.dumps(workflow_ids),),
    )


def _count(
    connection: sqlite3.Connection,
    *,
    added: Iterable[tuple[str, str, str]],
    removed: Iterable[tuple[str, str, str]],
) -> dict[str, int]:
    """Bring counts and digests to where the bindings are now; return the counts of what changed."""
    plus: defaultdict[str, list[int]] = defaultdict(list)
    minus: defaultdict[str, list[int]] = defaultdict(list)
    for digests, bindings in ((plus, added), (minus, removed)):
        for workflow_id, task_id, account_id in bindings:
            digests[account_id].append(binding_digest(account_id, workflow_id, task_id))
    counts: dict[str, int] = {}
    for account_id in {*plus, *minus}:
        before = standing(connection, account_id)
        up, down = plus[account_id], minus[account_id]
        counts[account_id] = before.bindings + len(up) - len(down)
        digest = to_hex(add(from_hex(before.digest), added=up, removed=down))
        if counts[account_id] == 0:
            connection.execute("DELETE FROM holdings WHERE account_id = ?", (account_id,))
            continue
        connection.execute(
            "INSERT INTO holdings VALUES (?, ?, ?) ON CONFLICT (account_id) "
            "DO UPDATE SET bindings = excluded.bindings, digest = excluded.digest",
            (account_id, counts[account_id], digest),
        )
    return counts
