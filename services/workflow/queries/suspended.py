"""Which tasks of an engine are suspended, and never more than it names itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.tables import (
    IS_SUSPENDED,
    BindingRow,
    HoldingRow,
    UsageRow,
    WorkflowRow,
)

AnyRow = Row[*tuple[Any, ...]]


async def load_suspensions(
    connection: AsyncConnection, brand: str, engine_id: str
) -> Mapping[str, int]:
    """Return by account the number that the holding's newest event has, where it has ever risen."""
    query = select(HoldingRow.account_id, HoldingRow.suspensions).where(
        HoldingRow.brand_id == brand,
        HoldingRow.engine_id == engine_id,
        HoldingRow.suspensions > 0,
    )
    rows = await connection.execute(query)
    return {one.account_id: one.suspensions for one in rows}


async def load_tasks(
    connection: AsyncConnection,
    brand: str,
    engine_id: str,
    *,
    after: Sequence[str],
    limit: int,
) -> Sequence[AnyRow]:
    """Return an engine's tasks that are suspended, as they were judged last, by workflow."""
    place = (BindingRow.workflow_id, BindingRow.account_id, BindingRow.task_id)
    query = (
        select(*place, UsageRow.reason)
        .join(
            WorkflowRow,
            (WorkflowRow.brand_id == BindingRow.brand_id)
            & (WorkflowRow.engine_id == BindingRow.engine_id)
            & (WorkflowRow.id == BindingRow.workflow_id),
        )
        .join(
            UsageRow,
            (UsageRow.brand_id == BindingRow.brand_id)
            & (UsageRow.account_id == BindingRow.account_id)
            & (UsageRow.engine_id == BindingRow.engine_id)
            & (UsageRow.owner == WorkflowRow.owner),
        )
        .where(
            BindingRow.brand_id == brand,
            BindingRow.engine_id == engine_id,
            BindingRow.is_vanished.is_(False),
            IS_SUSPENDED,
            tuple_(*place) > tuple_(*map(literal, after)),
        )
        .order_by(*place)
        .limit(limit)
    )
    return (await connection.execute(query)).all()
