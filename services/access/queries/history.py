"""What happened to an account's access, as it is on record."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.tables import AuditRow

AnyRow = Row[*tuple[Any, ...]]


async def load_history(
    connection: AsyncConnection, brand: str, subject: str, *, after: str, limit: int
) -> Sequence[AnyRow]:
    """Return what is on record of a subject, the newest first; `after` is a row's id, or empty."""
    query = (
        select(
            AuditRow.id,
            AuditRow.at,
            AuditRow.issuer,
            AuditRow.actor,
            AuditRow.action,
            AuditRow.members,
            AuditRow.why,
        )
        .where(AuditRow.brand_id == brand, AuditRow.subject == subject)
        .order_by(AuditRow.id.desc())
        .limit(limit)
    )
    if after:
        query = query.where(AuditRow.id < after)
    return (await connection.execute(query)).all()
