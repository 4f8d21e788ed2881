"""Has accounts follow licences and installations: bars them, and lets them in again."""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.workflow.store.entitlement import load_entitlements, lock_brands
from services.workflow.store.following import (
    bar_accounts,
    load_brands_to_follow,
    load_used,
    mark_followed,
)


async def follow_entitlements(engine: AsyncEngine, most: int) -> int:
    """Bring accounts to what their brands may use now; return how many brands were looked at.

    An account that this changes is judged again by the job for that.
    """
    async with engine.begin() as connection:
        return await follow(connection, most)


async def follow(connection: AsyncConnection, most: int) -> int:
    """Do so in the caller's transaction."""
    brands = await load_brands_to_follow(connection, most)
    if not brands:
        return 0
    await mark_followed(connection, brands)
    await lock_brands(connection, brands)
    # Statements of their own: their snapshots are younger than whatever the locks waited for.
    entitlements = await load_entitlements(connection, await load_used(connection, brands))
    await bar_accounts(connection, entitlements)
    return len(brands)
