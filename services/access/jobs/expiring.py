"""Ends grants whose time has come.

They have not counted since that moment, told or not: this is what tells it. Its crash points:
`access.before_expire` and `access.after_expire` around the commit of each pass that ended any.
"""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.access.jobs.ending import end
from services.access.rules.ending import brands_of, end_all, share_of
from services.access.store.brands import share_brands
from services.access.store.ending import (
    find_expired,
    load_expired,
    load_now,
    lock_free_accounts,
)
from shared.messaging.crash import crash_point


async def expire_grants(engine: AsyncEngine, most: int) -> int:
    """End what has run out, `most` at once; return how many were ended."""
    async with engine.begin() as connection:
        ended = await expire(connection, most)
        if ended:
            crash_point("access.before_expire")
    if ended:
        crash_point("access.after_expire")
    return ended


async def expire(connection: AsyncConnection, most: int) -> int:
    """Do so in the caller's transaction."""
    wanted = await find_expired(connection, most)
    if not wanted:
        return 0
    await share_brands(connection, brands_of(wanted))
    accounts = await lock_free_accounts(connection, wanted)
    grants = await load_expired(connection, accounts, share_of(most, brands_of(accounts)))
    await end(connection, end_all(grants, {}, "expired", await load_now(connection)))
    return len(grants)
