"""Engines, for administrators and for themselves."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.tables import EngineRow


async def load_page(
    connection: AsyncConnection, brand: str, columns: Sequence[Any], *, after: str, limit: int
) -> Sequence[Row[*tuple[Any, ...]]]:
    query = (
        select(*columns)
        .where(EngineRow.brand_id == brand, EngineRow.id > after)
        .order_by(EngineRow.id)
        .limit(limit)
    )
    return (await connection.execute(query)).all()


async def load_one(
    connection: AsyncConnection, brand: str, columns: Sequence[Any], engine_id: str
) -> Row[*tuple[Any, ...]] | None:
    query = select(*columns).where(EngineRow.brand_id == brand, EngineRow.id == engine_id)
    return (await connection.execute(query)).first()
