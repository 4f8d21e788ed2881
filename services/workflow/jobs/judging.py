"""Judges again who may use accounts, where news may have changed it: suspends and resumes."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial

import structlog
from keyturn_contracts.message import Key
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.workflow.rules.access import why_nobody
from services.workflow.rules.account import Account
from services.workflow.rules.holding import Holding, judge_again
from services.workflow.rules.usage import Judged, Usage, sum_up
from services.workflow.rules.usage import judge as judge_usage
from services.workflow.store.access import load_access
from services.workflow.store.account import key_of as account_key
from services.workflow.store.account import wake_rollouts
from services.workflow.store.counting import mark_changed
from services.workflow.store.engine import key_of as engine_key
from services.workflow.store.holding import HoldingKey, save_holdings
from services.workflow.store.judging import (
    PAIRS,
    load_holdings_to_judge,
    lock_to_judge,
    save_judged,
)
from services.workflow.store.usage import UsageKey, begin_pages, load_usage_page, save_usage
from shared.messaging.failures import do_all_or_each
from shared.messaging.outbox import Announcement, announce

_log = structlog.stdlib.get_logger()


async def judge_accounts(engine: AsyncEngine, most: int) -> int:
    """Bring holdings to what their accounts allow now; return how many accounts were judged.

    Until it is done the closer leaves such an account alone. One that fails is tried again next
    time, and keeps no other from being judged this time.
    """
    failed: set[Key] = set()
    while True:
        async with engine.begin() as connection:
            judged, also_failed = await _judge_some(connection, most, PAIRS, but=failed)
        if judged or not also_failed:
            return judged
        failed |= also_failed


async def judge(connection: AsyncConnection, most: int, pairs: int = PAIRS) -> int:
    """Do so in the caller's transaction, once.

    Of accounts with more owners of workflows than `pairs` together the others wait for their turn,
    and of one that has more by itself so many are read at a time.
    """
    judged, _ = await _judge_some(connection, most, pairs)
    return judged


async def _judge_some(
    connection: AsyncConnection, most: int, pairs: int, *, but: Collection[Key] = ()
) -> tuple[int, set[Key]]:
    """Return how many accounts were judged, and which could not be."""
    accounts = await lock_to_judge(connection, most, pairs, but=but)
    if not accounts:
        return 0, set()
    parted = await do_all_or_each(
        connection, sorted(accounts), partial(_judge, connection, accounts, pairs)
    )
    for account, cause in parted.failed:
        _log.error("an account could not be judged again", account=str(account), exc_info=cause)
    return sum(judged for _, judged in parted.done), {account for account, _ in parted.failed}


async def _judge(
    connection: AsyncConnection, locked: Mapping[Key, Account], pairs: int, keys: Sequence[Key]
) -> int:
    accounts = {key: locked[key] for key in keys}
    holdings = await load_holdings_to_judge(connection, accounts)
    judged = await _judge_owners(connection, accounts, pairs)
    changed: dict[HoldingKey, Holding] = {}
    events: list[Announcement] = []
    for key, holding in sorted(holdings.items(), key=lambda one: one[0]):
        account = accounts[account_key(key.brand, key.account_id)]
        after, news = judge_again(
            holding, account, judged[key], engine_id=key.engine_id, account_id=key.account_id
        )
        if after != holding:
            changed[key] = after
        events += [Announcement(event, key.brand) for event in news]
    if changed:
        await save_holdings(connection, changed)
    # An account that became known, or is gone, counts for its extension, or no longer.
    await mark_changed(connection, (engine_key(one.brand, one.engine_id) for one in holdings))
    await save_judged(connection, accounts)
    await wake_rollouts(connection, accounts)
    if events:
        await announce(connection, events)
    return len(accounts)


async def _judge_owners(
    connection: AsyncConnection, accounts: Mapping[Key, Account], pairs: int
) -> defaultdict[HoldingKey, Judged]:
    """Judge all tasks by their workflows' owners, a page at a time, and save what is other by now.

    What is news between two pages has the account judged once more.
    """
    judged: defaultdict[HoldingKey, Judged] = defaultdict(Judged)
    places = begin_pages(accounts)
    while places:
        usage, places = await load_usage_page(connection, places, pairs)
        access = await load_access(
            connection,
            {key.brand for key in usage},
            accounts,
            {
                (account, owner)
                for key, by_owner in usage.items()
                if why_nobody(accounts[account := account_key(key.brand, key.account_id)]) is None
                for owner in by_owner
            },
        )
        changed: dict[UsageKey, Usage] = {}
        for key, by_owner in usage.items():
            account = accounts[account_key(key.brand, key.account_id)]
            after = {
                owner: judge_usage(account, owner, one, access[key.brand])
                for owner, one in by_owner.items()
            }
            judged[key] += sum_up(after)
            changed |= {(key, owner): one for owner, one in after.items() if one != by_owner[owner]}
        if changed:
            await save_usage(connection, changed)
    return judged
