"""Which workflows there are, and what depends on an account."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Row,
    Select,
    Text,
    any_,
    exists,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from services.workflow.tables import (
    AccountRow,
    BindingRow,
    EngineRow,
    FailureRow,
    HoldingRow,
    InstallationRow,
    WorkflowRow,
)

AnyRow = Row[*tuple[Any, ...]]

_NAMED = 100
_OF_ENGINE = (EngineRow.brand_id == WorkflowRow.brand_id) & (EngineRow.id == WorkflowRow.engine_id)
_OF_WORKFLOW = (
    (WorkflowRow.brand_id == BindingRow.brand_id)
    & (WorkflowRow.engine_id == BindingRow.engine_id)
    & (WorkflowRow.id == BindingRow.workflow_id)
)


async def load_workflows(
    connection: AsyncConnection,
    brand: str,
    *,
    owner: str | None,
    engine_id: str | None,
    account_id: str | None,
    after: Sequence[str],
    limit: int,
) -> Sequence[AnyRow]:
    """Return workflows of engines that are not retired, by engine and id."""
    if account_id is None:
        place = tuple_(WorkflowRow.engine_id, WorkflowRow.id)
        query = _workflows().where(WorkflowRow.brand_id == brand)
    else:
        place = tuple_(BindingRow.engine_id, BindingRow.workflow_id)
        query = (
            _workflows()
            .join(BindingRow, _OF_WORKFLOW)
            .where(BindingRow.brand_id == brand, BindingRow.account_id == account_id)
            .distinct()
        )
    query = query.where(place > tuple_(*map(literal, after)))
    if owner is not None:
        query = query.where(WorkflowRow.owner == owner)
    if engine_id is not None:
        query = query.where(WorkflowRow.engine_id == engine_id)
    query = query.order_by(WorkflowRow.engine_id, WorkflowRow.id).limit(limit)
    return (await connection.execute(query)).all()


def _workflows() -> Select[*tuple[Any, ...]]:
    return (
        select(
            WorkflowRow.engine_id,
            WorkflowRow.id.label("workflow_id"),
            WorkflowRow.name,
            WorkflowRow.owner,
            _uses_a_preview().label("preview"),
        )
        .join(EngineRow, _OF_ENGINE)
        .where(EngineRow.state == "registered")
    )


def _uses_a_preview() -> ColumnElement[bool]:
    used = aliased(BindingRow)
    return exists().where(
        used.brand_id == WorkflowRow.brand_id,
        used.engine_id == WorkflowRow.engine_id,
        used.workflow_id == WorkflowRow.id,
        AccountRow.brand_id == used.brand_id,
        AccountRow.id == used.account_id,
        InstallationRow.brand_id == AccountRow.brand_id,
        InstallationRow.extension == AccountRow.extension,
        InstallationRow.is_preview,
    )


async def load_preview(connection: AsyncConnection, brand: str, extension: str) -> bool:
    """Tell whether an extension is in preview, as far as anything has been said of it."""
    query = select(InstallationRow.is_preview).where(
        InstallationRow.brand_id == brand, InstallationRow.extension == extension
    )
    return bool(await connection.scalar(query))


async def load_dependents(
    connection: AsyncConnection,
    brand: str,
    account_id: str,
    *,
    after: Sequence[str],
    limit: int,
    owners: Collection[str] | None = None,
) -> Sequence[AnyRow]:
    """Return the tasks that use an account, by engine, workflow and task.

    With `owners` only those of workflows of theirs, without the vanished.
    """
    place = (BindingRow.engine_id, BindingRow.workflow_id, BindingRow.task_id)
    query = (
        select(*place, BindingRow.is_vanished, WorkflowRow.name, WorkflowRow.owner)
        .join(WorkflowRow, _OF_WORKFLOW)
        .join(EngineRow, _OF_ENGINE)
        .where(
            BindingRow.brand_id == brand,
            BindingRow.account_id == account_id,
            EngineRow.state == "registered",
            tuple_(*place) > tuple_(*map(literal, after)),
        )
        .order_by(*place)
        .limit(limit)
    )
    if owners is not None:
        query = query.where(
            WorkflowRow.owner == any_(literal(list(owners), ARRAY(Text()))),
            BindingRow.is_vanished.is_(False),
        )
    return (await connection.execute(query)).all()


async def count_dependents(
    connection: AsyncConnection, brand: str, account_id: str
) -> tuple[int, int]:
    """Return how many tasks use an account, and how many of them have vanished."""
    query = (
        select(
            func.coalesce(func.sum(HoldingRow.count), 0),
            func.coalesce(func.sum(HoldingRow.vanished_count), 0),
        )
        .join(
            EngineRow,
            (EngineRow.brand_id == HoldingRow.brand_id) & (EngineRow.id == HoldingRow.engine_id),
        )
        .where(
            HoldingRow.brand_id == brand,
            HoldingRow.account_id == account_id,
            EngineRow.state == "registered",
        )
    )
    count, vanished = (await connection.execute(query)).one()
    return int(count), int(vanished)


async def load_bound(
    connection: AsyncConnection,
    brand: str,
    engine_id: str,
    account_id: str,
    *,
    is_vanished: bool,
    after: str,
    limit: int,
) -> Sequence[AnyRow]:
    """Return one engine's workflows with a task that uses an account, or with one that vanished."""
    query = (
        select(BindingRow.workflow_id, WorkflowRow.name, literal(None).label("reason"))
        .join(WorkflowRow, _OF_WORKFLOW)
        .where(
            BindingRow.brand_id == brand,
            BindingRow.account_id == account_id,
            BindingRow.engine_id == engine_id,
            BindingRow.is_vanished.is_(is_vanished),
            BindingRow.workflow_id > after,
        )
        .distinct()
        .order_by(BindingRow.workflow_id)
        .limit(limit)
    )
    return (await connection.execute(query)).all()


async def load_failed(
    connection: AsyncConnection,
    brand: str,
    engine_id: str,
    account_id: str,
    *,
    after: str,
    limit: int,
) -> Sequence[AnyRow]:
    """Return the workflows that an engine's last confirmation names as failed, deleted ones too."""
    query = (
        select(
            FailureRow.workflow_id,
            func.coalesce(WorkflowRow.name, "").label("name"),
            FailureRow.reason,
        )
        .join(
            WorkflowRow,
            (WorkflowRow.brand_id == FailureRow.brand_id)
            & (WorkflowRow.engine_id == FailureRow.engine_id)
            & (WorkflowRow.id == FailureRow.workflow_id),
            isouter=True,
        )
        .where(
            FailureRow.brand_id == brand,
            FailureRow.engine_id == engine_id,
            FailureRow.account_id == account_id,
            FailureRow.workflow_id > after,
        )
        .order_by(FailureRow.workflow_id)
        .limit(limit)
    )
    return (await connection.execute(query)).all()


async def load_first_vanished(
    connection: AsyncConnection, brand: str, account_id: str
) -> Sequence[AnyRow]:
    """Return the first 100 tasks of an account that have vanished."""
    place = (BindingRow.engine_id, BindingRow.workflow_id, BindingRow.task_id)
    query = (
        select(*place)
        .where(
            BindingRow.brand_id == brand,
            BindingRow.account_id == account_id,
            BindingRow.is_vanished,
        )
        .order_by(*place)
        .limit(_NAMED)
    )
    return (await connection.execute(query)).all()


async def load_first_failed(
    connection: AsyncConnection, brand: str, account_id: str
) -> Sequence[AnyRow]:
    """Return the first 100 workflows that engines name as failed."""
    query = (
        select(FailureRow.engine_id, FailureRow.workflow_id, FailureRow.reason)
        .where(FailureRow.brand_id == brand, FailureRow.account_id == account_id)
        .order_by(FailureRow.engine_id, FailureRow.workflow_id)
        .limit(_NAMED)
    )
    return (await connection.execute(query)).all()
