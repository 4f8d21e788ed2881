"""Gives accounts their owners: their creators, and where nobody owns one, the administrators.

Killed anywhere, it leaves either an account that may have no owner, and is found again, or one that
has. Its crash points: `access.before_own` and `access.after_own` around the commit of each pass
that decided anything.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime

from keyturn_contracts.rights import Facts
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.access.rules.ending import brands_of, record_of_ours, share_of
from services.access.rules.grant import Grant, GrantKey, event_about
from services.access.rules.owning import Ownership, Unowned, decide_ownership
from services.access.rules.record import Record
from services.access.store.accounts import AccountKey
from services.access.store.audit import save_records
from services.access.store.brands import lock_brands
from services.access.store.ending import load_now
from services.access.store.owning import (
    find_to_own,
    load_awaited,
    load_facts,
    lock_to_own,
    save_owners,
)
from shared.messaging.crash import crash_point
from shared.messaging.outbox import Announcement, announce


async def own_accounts(engine: AsyncEngine, most: int) -> int:
    """Decide about accounts that may have no owner, and return about how many."""
    async with engine.begin() as connection:
        decided = await own(connection, most)
        if decided:
            crash_point("access.before_own")
    if decided:
        crash_point("access.after_own")
    return decided


async def own(connection: AsyncConnection, most: int) -> int:
    """Do so in the caller's transaction: of as many accounts as get `most` owners together.

    Each brand has its share of these, and one account at least: none waits behind another. The
    brands are held alone: nobody comes on a list, or leaves it, before its accounts are owned.
    """
    wanted = await find_to_own(connection, most)
    if not wanted:
        return 0
    brands = await lock_brands(connection, brands_of(wanted))
    accounts = await lock_to_own(connection, wanted)
    facts = await load_facts(connection, accounts, brands)
    awaited = await load_awaited(connection, accounts, facts)
    now = await load_now(connection)
    each = share_of(most, brands)
    decided = _decide(accounts, facts, awaited, now, each)
    owners = {
        (*key, member): grant
        for key, ownership in decided.items()
        for member, grant in ownership.grants.items()
    }
    await save_owners(connection, owners, {key: one.is_to_own for key, one in decided.items()})
    await save_records(connection, _records(decided, now))
    await announce(connection, _announcements(owners))
    return len(decided)


def _decide(
    accounts: Mapping[AccountKey, Unowned],
    facts: Mapping[str, Facts],
    awaited: Mapping[str, Collection[str]],
    at: datetime,
    each: int,
) -> dict[AccountKey, Ownership]:
    decided: dict[AccountKey, Ownership] = {}
    given: Counter[str] = Counter()
    for (brand, account_id), account in accounts.items():
        if given[brand] >= each:
            continue
        ownership = decide_ownership(account, facts[brand], at, awaited=awaited[brand])
        given[brand] += len(ownership.grants)
        decided[brand, account_id] = ownership
    return decided


def _announcements(owners: Mapping[GrantKey, Grant]) -> list[Announcement]:
    return [
        Announcement(event_about(account_id, member, grant), brand)
        for (brand, account_id, member), grant in owners.items()
    ]


def _records(decided: Mapping[AccountKey, Ownership], at: datetime) -> list[tuple[str, Record]]:
    return [
        (
            brand,
            record_of_ours(
                "Own",
                f"grants/{account_id}",
                dict.fromkeys(one.grants, "owner"),
                at=at,
                why=next(iter(one.grants.values())).how,
            ),
        )
        for (brand, account_id), one in decided.items()
        if one.grants
    ]
