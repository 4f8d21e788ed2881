"""Ends what removed members had, and every grant on a deleted account, however many there are.

Each pass is a transaction of its own: whatever dies between two leaves only what is still to be
ended. Its crash points: `access.before_end` and `access.after_end` around the commit of each pass
that did anything.
"""

from collections.abc import Awaitable, Callable, Collection

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.access.rules.ending import Ending, brands_of, end_all, share_of
from services.access.store.audit import save_records
from services.access.store.brands import share_brands
from services.access.store.ending import (
    end_deletions,
    end_removals,
    find_accounts_of,
    find_deleted,
    find_extensions_of,
    find_removed,
    load_enabled_for,
    load_granted,
    load_granted_to,
    load_now,
    lock_free_accounts,
    lock_free_installations,
    save_ending,
)
from services.access.store.people import Person
from shared.messaging.crash import crash_point
from shared.messaging.outbox import Announcement, announce


async def end_access(engine: AsyncEngine, most: int) -> int:
    """End `most` grants of each kind; return how much was done."""
    return await _pass(engine, end_removed, most) + await _pass(engine, end_deleted, most)


async def _pass(
    engine: AsyncEngine, work: Callable[[AsyncConnection, int], Awaitable[int]], most: int
) -> int:
    async with engine.begin() as connection:
        done = await work(connection, most)
        if done:
            crash_point("access.before_end")
    if done:
        crash_point("access.after_end")
    return done


async def end_removed(connection: AsyncConnection, most: int) -> int:
    """End what members had who were removed, in the caller's transaction.

    They have no rights since their removal. Nobody gives them anything meanwhile: who gives shares
    the brand, and then sees that they are not on its list. Who comes back comes back with nothing.
    """
    found = await find_removed(connection, most)
    if not found:
        return 0
    await share_brands(connection, brands_of(found))
    # Asked again: who came back while this waited may have been given something since.
    members = found & await find_removed(connection, most)
    ended = await end_what_they_have(connection, members, most)
    return ended + await end_removals(connection, members)


async def end_what_they_have(
    connection: AsyncConnection, members: Collection[Person], most: int
) -> int:
    """End what these have who are not on their brands' lists, which the caller shares or holds.

    As much of each brand: none waits behind another.
    """
    most = share_of(most, brands_of(members))
    used = await find_accounts_of(connection, members, most)
    accounts = await lock_free_accounts(connection, used)
    enabled = await find_extensions_of(connection, members, most)
    extensions = await lock_free_installations(connection, enabled)
    grants = await load_granted_to(connection, members, accounts, most)
    enablements = await load_enabled_for(connection, members, extensions, most)
    now = await load_now(connection)
    await end(connection, end_all(grants, enablements, "member_removed", now))
    return len(grants) + len(enablements)


async def end_deleted(connection: AsyncConnection, most: int) -> int:
    """End every grant on deleted accounts, in the caller's transaction. Nobody inherits them."""
    wanted = await find_deleted(connection, most)
    if not wanted:
        return 0
    await share_brands(connection, brands_of(wanted))
    accounts = await lock_free_accounts(connection, wanted)
    grants = await load_granted(connection, accounts, share_of(most, brands_of(accounts)))
    await end(connection, end_all(grants, {}, "account_deleted", await load_now(connection)))
    return len(grants) + await end_deletions(connection, accounts)


async def end(connection: AsyncConnection, ending: Ending, *, begun_by: str | None = None) -> None:
    """Save what has ended, tell it and put it on record.

    `begun_by` is the id of the command that led to it, where one did.
    """
    if not ending.grants and not ending.enablements:
        return
    await save_ending(connection, ending)
    await save_records(connection, ending.records())
    announcements = [
        Announcement(event, brand, correlation=begun_by) for brand, event in ending.events()
    ]
    await announce(connection, announcements)
