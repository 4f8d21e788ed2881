"""Ends the access service's part of an uninstallation: its grants and its enablements.

What is ended, its count and what is announced of both are one transaction, and so is the end of it
all: whatever dies in between leaves only what is still to be done. Its crash points:
`access.before_clear` and `access.after_clear` around the commit of each pass that ended anything,
`access.before_cleared` and `access.after_cleared` around that of one that was the last.
"""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.access.jobs.ending import end
from services.access.rules.clearing import Clearance, event_about
from services.access.rules.ending import brands_of, end_all, share_of
from services.access.store.brands import lock_brands, share_brands
from services.access.store.clearing import (
    end_clearances,
    find_granted,
    find_to_clear,
    load_left,
    lock_clearances,
    save_clearances,
)
from services.access.store.enablements import BrandExtension
from services.access.store.ending import load_enabled, load_granted, load_now, lock_free_accounts
from shared.messaging.crash import crash_point
from shared.messaging.outbox import Announcement, announce


async def clear_uninstalled(engine: AsyncEngine, most: int) -> int:
    """End what is left of extensions that are being uninstalled, `most` grants at once.

    Each has its share of these, and is told done when nothing of it is left: none waits behind
    another. Return how much was done.
    """
    async with engine.begin() as connection:
        ended = await clear(connection, most)
        if ended:
            crash_point("access.before_clear")
    if ended:
        crash_point("access.after_clear")
    async with engine.begin() as connection:
        done = await conclude(connection, most)
        if done:
            crash_point("access.before_cleared")
    if done:
        crash_point("access.after_cleared")
    return ended + done


async def clear(connection: AsyncConnection, most: int) -> int:
    """End some of it, count it and say so, in the caller's transaction."""
    wanted = await find_to_clear(connection, most)
    if not wanted:
        return 0
    await share_brands(connection, brands_of(wanted))
    clearances = await lock_clearances(connection, wanted)
    each = share_of(most, clearances)
    return sum([await _end_some(connection, *one, each) for one in sorted(clearances.items())])


async def _end_some(
    connection: AsyncConnection, key: BrandExtension, clearance: Clearance, most: int
) -> int:
    accounts = await lock_free_accounts(connection, await find_granted(connection, key, most))
    grants = await load_granted(connection, accounts, most)
    enablements = await load_enabled(connection, [key], most)
    if not grants and not enablements:
        return 0
    ending = end_all(grants, enablements, "uninstalled", await load_now(connection))
    await end(connection, ending, begun_by=clearance.uninstall_id)
    after = {key: clearance.with_ended(len(grants), len(enablements))}
    await save_clearances(connection, after)
    await _announce(connection, after)
    return len(grants) + len(enablements)


async def conclude(connection: AsyncConnection, most: int) -> int:
    """Say of which nothing is left, in the caller's transaction.

    The brands are held alone: whoever was giving something by older news has committed, and whoever
    comes later sees that it is being uninstalled. So what is done stays done.
    """
    wanted = await find_to_clear(connection, most)
    if not wanted:
        return 0
    await lock_brands(connection, brands_of(wanted))
    clearances = await lock_clearances(connection, wanted)
    left = await load_left(connection, clearances)
    done = {key: replace(one, is_done=True) for key, one in clearances.items() if key not in left}
    # News that only says how far others are may ask for what was done already.
    told = {key: one for key, one in done.items() if not clearances[key].is_done}
    await save_clearances(connection, told)
    await end_clearances(connection, done)
    await _announce(connection, told)
    return len(done)


async def _announce(
    connection: AsyncConnection, changed: Mapping[BrandExtension, Clearance]
) -> None:
    announcements = [
        Announcement(event_about(slug, one), brand, correlation=one.uninstall_id)
        for (brand, slug), one in sorted(changed.items())
    ]
    if announcements:
        await announce(connection, announcements)
