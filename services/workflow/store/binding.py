"""Workflows and their bindings, as they lie in the database."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keyturn_contracts.message import Key
from keyturn_contracts.workflow import NAMED, AboutEngine
from sqlalchemy import BigInteger, Integer, Text, bindparam, delete, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.rules.engine import Place
from services.workflow.rules.record import Binding, LeftOut, Task, Workflow
from services.workflow.tables import BindingRow, WorkflowRow
from shared.database.rows import Rows

_PAGE = 20_000
"""How many bindings are flagged at once when a whole list leaves out many."""

_IDS = Rows(WorkflowRow.brand_id, WorkflowRow.engine_id, WorkflowRow.id)
_LOAD_WORKFLOWS = select(
    WorkflowRow.brand_id, WorkflowRow.engine_id, WorkflowRow.id, WorkflowRow.name, WorkflowRow.owner
).where(
    WorkflowRow.brand_id == _IDS.c.brand_id,
    WorkflowRow.engine_id == _IDS.c.engine_id,
    WorkflowRow.id == _IDS.c.id,
)
_WHOLE = (
    BindingRow.brand_id,
    BindingRow.engine_id,
    BindingRow.workflow_id,
    BindingRow.account_id,
    BindingRow.task_id,
    BindingRow.named_epoch,
    BindingRow.named_number,
    BindingRow.is_vanished,
)
_LOAD_BINDINGS = select(*_WHOLE).where(
    BindingRow.brand_id == _IDS.c.brand_id,
    BindingRow.engine_id == _IDS.c.engine_id,
    BindingRow.workflow_id == _IDS.c.id,
)

_WORKFLOWS = Rows(
    WorkflowRow.brand_id,
    WorkflowRow.engine_id,
    WorkflowRow.id,
    WorkflowRow.name,
    WorkflowRow.owner,
)
_INSERT_WORKFLOWS = _WORKFLOWS.insert_into(WorkflowRow)
_UPDATE_WORKFLOWS = (
    update(WorkflowRow)
    .where(
        WorkflowRow.brand_id == _WORKFLOWS.c.brand_id,
        WorkflowRow.engine_id == _WORKFLOWS.c.engine_id,
        WorkflowRow.id == _WORKFLOWS.c.id,
    )
    .values(name=_WORKFLOWS.c.name, owner=_WORKFLOWS.c.owner)
)
_DELETE_WORKFLOWS = delete(WorkflowRow).where(
    WorkflowRow.brand_id == _IDS.c.brand_id,
    WorkflowRow.engine_id == _IDS.c.engine_id,
    WorkflowRow.id == _IDS.c.id,
)
_BINDINGS = Rows(*_WHOLE)
_INSERT = _BINDINGS.insert_into(BindingRow)
_KEYS = Rows(*_WHOLE[:5])


def _is(rows: Rows) -> tuple[Any, ...]:
    return tuple(one == rows.c[one.key] for one in _WHOLE[:5])


_UPDATE = (
    update(BindingRow)
    .where(*_is(_BINDINGS))
    .values({one: _BINDINGS.c[one.key] for one in _WHOLE[5:]})
)
_DELETE = delete(BindingRow).where(*_is(_KEYS))
_FLAG = update(BindingRow).where(*_is(_KEYS)).values(is_vanished=True)

_NAMED_BEFORE = (
    BindingRow.brand_id == bindparam("of_brand"),
    BindingRow.engine_id == bindparam("of_engine"),
    BindingRow.is_vanished.is_(False),
    tuple_(BindingRow.named_epoch, BindingRow.named_number)
    < tuple_(
        bindparam("before_epoch", type_=BigInteger()),
        bindparam("before_number", type_=BigInteger()),
    ),
)
_ACCOUNTS_NAMED_BEFORE = select(BindingRow.account_id).where(*_NAMED_BEFORE).distinct()
_TASK = (BindingRow.workflow_id, BindingRow.account_id, BindingRow.task_id)
_LEFT_OUT = (
    select(*_TASK, WorkflowRow.owner)
    .join(
        WorkflowRow,
        (WorkflowRow.brand_id == BindingRow.brand_id)
        & (WorkflowRow.engine_id == BindingRow.engine_id)
        & (WorkflowRow.id == BindingRow.workflow_id),
    )
    .where(
        *_NAMED_BEFORE,
        tuple_(*_TASK) > tuple_(*(bindparam(f"after_{one.key}", type_=Text()) for one in _TASK)),
    )
    .order_by(*_TASK)
    .limit(bindparam("page", type_=Integer))
)
_OF_ONE = BindingRow.account_id == bindparam("of_account")
_LEFT_OUT_OF_ONE = _LEFT_OUT.where(_OF_ONE)
_VANISHED = (
    select(*_TASK, func.count().over())
    .where(
        BindingRow.brand_id == bindparam("of_brand"),
        BindingRow.engine_id == bindparam("of_engine"),
        BindingRow.is_vanished,
    )
    .order_by(*_TASK)
    .limit(NAMED)
)
_VANISHED_OF_ONE = _VANISHED.where(_OF_ONE)


@dataclass(slots=True)
class Changes:
    """What is to be written of workflows and bindings."""

    new_workflows: list[tuple[Key, str, Workflow]] = field(
        default_factory=list[tuple[Key, str, Workflow]]
    )
    changed_workflows: list[tuple[Key, str, Workflow]] = field(
        default_factory=list[tuple[Key, str, Workflow]]
    )
    gone_workflows: list[tuple[Key, str]] = field(default_factory=list[tuple[Key, str]])
    new: list[tuple[Key, Task, Binding]] = field(default_factory=list[tuple[Key, Task, Binding]])
    changed: list[tuple[Key, Task, Binding]] = field(
        default_factory=list[tuple[Key, Task, Binding]]
    )
    gone: list[tuple[Key, Task]] = field(default_factory=list[tuple[Key, Task]])


async def load_workflows(
    connection: AsyncConnection, wanted: Mapping[Key, set[str]]
) -> defaultdict[Key, dict[str, Workflow]]:
    """Return workflows with all their bindings, by engine. They change under its lock alone."""
    ids = _IDS.of((key.brand, key.id, one) for key, named in wanted.items() for one in named)
    found: defaultdict[Key, dict[str, Workflow]] = defaultdict(dict)
    for brand, engine_id, workflow_id, name, owner in await connection.execute(
        _LOAD_WORKFLOWS, ids
    ):
        found[Key(brand, AboutEngine.kind, engine_id)][workflow_id] = Workflow(name, owner)
    for brand, engine_id, *task, epoch, number, is_vanished in await connection.execute(
        _LOAD_BINDINGS, ids
    ):
        one = Task(*task)
        workflow = found[Key(brand, AboutEngine.kind, engine_id)][one.workflow_id]
        workflow.bindings[one] = Binding(Place(epoch, number), is_vanished)
    return found


async def save(connection: AsyncConnection, changes: Changes) -> None:
    """Write them. What is new is inserted and not upserted: that is known, and a third cheaper."""
    if changes.gone:
        gone = _KEYS.of((key.brand, key.id, *task) for key, task in changes.gone)
        await connection.execute(_DELETE, gone)
    if changes.gone_workflows:
        gone = _IDS.of((key.brand, key.id, one) for key, one in changes.gone_workflows)
        await connection.execute(_DELETE_WORKFLOWS, gone)
    for statement, workflows in (
        (_UPDATE_WORKFLOWS, changes.changed_workflows),
        (_INSERT_WORKFLOWS, changes.new_workflows),
    ):
        if workflows:
            rows = _WORKFLOWS.of(
                (key.brand, key.id, workflow_id, one.name, one.owner)
                for key, workflow_id, one in workflows
            )
            await connection.execute(statement, rows)
    for statement, bindings in ((_UPDATE, changes.changed), (_INSERT, changes.new)):
        if bindings:
            rows = _BINDINGS.of(
                (key.brand, key.id, *task, *one.named, one.is_vanished)
                for key, task, one in bindings
            )
            await connection.execute(statement, rows)


async def load_accounts_named_before(
    connection: AsyncConnection, engine: Key, place: Place
) -> set[str]:
    """Return the accounts of an engine's bindings that nothing has named since."""
    found = await connection.scalars(_ACCOUNTS_NAMED_BEFORE, _before(engine, place))
    return set(found.all())


async def flag_vanished(
    connection: AsyncConnection, engine: Key, place: Place, account_id: str | None
) -> list[tuple[Task, str]]:
    """Flag the bindings, of one account or all, that nothing has named since; return whose."""
    statement = _LEFT_OUT if account_id is None else _LEFT_OUT_OF_ONE
    given = {**_before(engine, place), "page": _PAGE}
    if account_id is not None:
        given["of_account"] = account_id
    vanished: list[tuple[Task, str]] = []
    after = ("", "", "")
    while True:
        cursor = {f"after_{one.key}": value for one, value in zip(_TASK, after, strict=True)}
        page = (await connection.execute(statement, {**given, **cursor})).all()
        found = [(Task(*task), owner) for *task, owner in page]
        if found:
            keys = _KEYS.of((engine.brand, engine.id, *task) for task, _ in found)
            await connection.execute(_FLAG, keys)
            vanished += found
            after = found[-1][0]
        if len(found) < _PAGE:
            return vanished


async def load_left_out(
    connection: AsyncConnection, engine: Key, account_id: str | None
) -> LeftOut:
    """Return what has vanished of one account or all, whichever list left it out."""
    given = {"of_brand": engine.brand, "of_engine": engine.id}
    if account_id is None:
        rows = (await connection.execute(_VANISHED, given)).all()
    else:
        given["of_account"] = account_id
        rows = (await connection.execute(_VANISHED_OF_ONE, given)).all()
    first = tuple(Task(*task) for *task, _ in rows)
    return LeftOut(first, rows[0][-1] if rows else 0)


def _before(engine: Key, place: Place) -> dict[str, object]:
    return {
        "of_brand": engine.brand,
        "of_engine": engine.id,
        "before_epoch": place.epoch,
        "before_number": place.number,
    }
