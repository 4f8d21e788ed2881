"""Judges again who may use accounts, where news may have changed it: suspends and resumes."""

from collections.abc import Mapping, Sequence
from functools import partial

import structlog
from keyturn_contracts.message import Key
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.workflow.rules.access import why_nobody
from services.workflow.rules.account import Account
from services.workflow.rules.holding import Holding, judge_again
from services.workflow.rules.usage import judge_all
from services.workflow.store.access import load_access
from services.workflow.store.account import key_of as account_key
from services.workflow.store.account import wake_rollouts
from services.workflow.store.counting import mark_changed
from services.workflow.store.engine import key_of as engine_key
from services.workflow.store.holding import HoldingKey, save_holdings
from services.workflow.store.judging import load_holdings_to_judge, lock_to_judge, save_judged
from services.workflow.store.usage import load_usage_of
from shared.messaging.failures import do_all_or_each
from shared.messaging.outbox import Announcement, announce

_log = structlog.stdlib.get_logger()


async def judge_accounts(engine: AsyncEngine, most: int) -> int:
    """Bring holdings to what their accounts allow now; return how many accounts were judged.

    Until it is done the closer leaves such an account alone.
    """
    async with engine.begin() as connection:
        return await judge(connection, most)


async def judge(connection: AsyncConnection, most: int) -> int:
    """Do so in the caller's transaction. An account that fails is tried again next time."""
    accounts = await lock_to_judge(connection, most)
    if not accounts:
        return 0
    parted = await do_all_or_each(
        connection, sorted(accounts), partial(_judge, connection, accounts)
    )
    for account, cause in parted.failed:
        _log.error("an account could not be judged again", account=str(account), exc_info=cause)
    return sum(judged for _, judged in parted.done)


async def _judge(
    connection: AsyncConnection, locked: Mapping[Key, Account], keys: Sequence[Key]
) -> int:
    accounts = {key: locked[key] for key in keys}
    holdings = await load_holdings_to_judge(connection, accounts)
    usage = await load_usage_of(connection, accounts)
    access = await load_access(
        connection,
        {key.brand for key in accounts},
        accounts,
        {
            (account, owner)
            for key, by_owner in usage.items()
            if why_nobody(accounts[account := account_key(key.brand, key.account_id)]) is None
            for owner in by_owner
        },
    )
    changed: dict[HoldingKey, Holding] = {}
    events: list[Announcement] = []
    for key, holding in sorted(holdings.items(), key=lambda one: one[0]):
        account = accounts[account_key(key.brand, key.account_id)]
        judged = judge_all(account, usage.get(key, {}), access[key.brand])
        after, news = judge_again(
            holding, account, judged, engine_id=key.engine_id, account_id=key.account_id
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
