"""Lets go of what is remembered of changes once everybody who remembers decisions has seen it."""

from datetime import timedelta

from sqlalchemy import delete, func
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.tables import ChangeRow

KEPT = timedelta(minutes=10)
"""Far longer than a transaction lasts, and than anybody goes without a look and remembers still."""


async def forget_changes(connection: AsyncConnection) -> int:
    """Forget old ones; return how many there were."""
    gone = await connection.execute(delete(ChangeRow).where(ChangeRow.at < func.now() - KEPT))
    return gone.rowcount
