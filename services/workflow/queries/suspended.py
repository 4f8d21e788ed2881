"""Which tasks of an engine are suspended: asked anew, and never more than it names itself."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.tables import BindingRow, HoldingRow, UsageRow, WorkflowRow
from shared.database.rows import Rows

AnyRow = Row[*tuple[Any, ...]]
Pair = tuple[str, str]
"""An account, and the owner of workflows that use it."""

_PAIRS = Rows(BindingRow.account_id, WorkflowRow.owner)


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


async def load_pairs(connection: AsyncConnection, brand: str, engine_id: str) -> list[Pair]:
    """Return every account that the engine's workflows use, with each of their owners."""
    query = (
        select(UsageRow.account_id, UsageRow.owner)
        .join(
            HoldingRow,
            (HoldingRow.brand_id == UsageRow.brand_id)
            & (HoldingRow.account_id == UsageRow.account_id)
            & (HoldingRow.engine_id == UsageRow.engine_id),
        )
        .where(HoldingRow.brand_id == brand, HoldingRow.engine_id == engine_id, UsageRow.count > 0)
    )
    return [(account_id, owner) for account_id, owner in await connection.execute(query)]


async def load_tasks(
    connection: AsyncConnection,
    brand: str,
    engine_id: str,
    pairs: Collection[Pair],
    *,
    after: Sequence[str],
    limit: int,
) -> Sequence[AnyRow]:
    """Return an engine's tasks of these owners that use these accounts, by workflow."""
    if not pairs:
        return []
    place = (BindingRow.workflow_id, BindingRow.account_id, BindingRow.task_id)
    query = (
        select(*place, WorkflowRow.owner)
        .join(
            WorkflowRow,
            (WorkflowRow.brand_id == BindingRow.brand_id)
            & (WorkflowRow.engine_id == BindingRow.engine_id)
            & (WorkflowRow.id == BindingRow.workflow_id),
        )
        .join(
            _PAIRS.table,
            (_PAIRS.c.account_id == BindingRow.account_id) & (_PAIRS.c.owner == WorkflowRow.owner),
        )
        .where(
            BindingRow.brand_id == brand,
            BindingRow.engine_id == engine_id,
            WorkflowRow.brand_id == brand,
            BindingRow.is_vanished.is_(False),
            tuple_(*place) > tuple_(*map(literal, after)),
        )
        .order_by(*place)
        .limit(limit)
    )
    return (await connection.execute(query, _PAIRS.of(sorted(pairs)))).all()
