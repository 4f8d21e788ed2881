"""Ends what was given before a brand's list began to who has not come onto it in its time.

Nothing says which command of a list is its last. Its crash points: `access.before_gathered` and
`access.after_gathered` around the commit of each pass that did anything.
"""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.access.jobs.ending import end_what_they_have
from services.access.rules.ending import share_of
from services.access.store.brands import lock_brands
from services.access.store.gathering import end_gathering, find_gathered, find_never_listed
from shared.messaging.crash import crash_point


async def end_never_listed(engine: AsyncEngine, most: int) -> int:
    """End some of it, `most` grants at once; return how much was done."""
    async with engine.begin() as connection:
        done = await end_some(connection, most)
        if done:
            crash_point("access.before_gathered")
    if done:
        crash_point("access.after_gathered")
    return done


async def end_some(connection: AsyncConnection, most: int) -> int:
    """Do so in the caller's transaction.

    The brands are held alone: nobody comes onto a list, or is waited for as the creator of an
    account, while it is asked who is not on it.
    """
    brands = await find_gathered(connection, most)
    if not brands:
        return 0
    await lock_brands(connection, brands)
    members = await find_never_listed(connection, brands, share_of(most, brands))
    done = _brands_without(brands, members)
    await end_gathering(connection, done)
    return len(done) + await end_what_they_have(connection, members, most)


def _brands_without(brands: list[str], members: set[tuple[str, str]]) -> list[str]:
    """Return the brands that none of these is of."""
    left = {brand for brand, _ in members}
    return [one for one in brands if one not in left]
