"""What a brand is licensed for."""

from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.tables import LicenceRow


async def load_licence(connection: AsyncConnection, brand: str) -> Row[*tuple[Any, ...]] | None:
    query = select(
        LicenceRow.extensions,
        LicenceRow.plans,
        LicenceRow.covers,
        LicenceRow.set_by,
        LicenceRow.set_at,
    ).where(LicenceRow.brand_id == brand)
    return (await connection.execute(query)).one_or_none()
