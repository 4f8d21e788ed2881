"""Retires earlier versions: planned when a rollout is completed, carried out when it is time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog
from keyturn_contracts.message import Key
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.credential_vault.rules.account import Desk
from services.credential_vault.rules.retirement import (
    Retirement,
    conclude_retirement,
    plan_retirement,
)
from services.credential_vault.store.accounts import all_of
from services.credential_vault.store.claims import by_account, claim_retirements
from services.credential_vault.store.copies import lock_completions, mark_planned
from shared.decisions import Applied
from shared.messaging.failures import do_all_or_each
from shared.messaging.handlers import Aggregate
from shared.messaging.outbox import Announcement, announce
from shared.messaging.tables import EpochRow

_log = structlog.stdlib.get_logger()

_MOST_AT_ONCE = 200
_LEASE = timedelta(seconds=60)


async def plan_retirements(engine: AsyncEngine, accounts: Aggregate[Desk]) -> int:
    """Give the versions below each completed rollout the time at which they are retired."""
    async with engine.begin() as connection:
        completions = await lock_completions(connection, _MOST_AT_ONCE)
        if not completions:
            return 0
        epoch = (await connection.scalars(select(EpochRow.number))).one()
        desks = await accounts.lock(connection, all_of(completions))
        planned: dict[Key, Desk] = {}
        for key, desk in desks.items():
            if desk.account is not None:
                account = plan_retirement(desk.account, completions[key], epoch)
                planned[key] = replace(desk, account=account)
        await accounts.save(connection, planned)
        await mark_planned(connection, completions)
    return len(completions)


async def retire_due(
    engine: AsyncEngine, accounts: Aggregate[Desk], wake: Callable[[], None]
) -> int:
    """Retire what is due, as a set; return how many versions were.

    Claimed in one transaction and retired in another: between them is where credentials are
    revoked at a provider that can. A mail server cannot, so there is nothing to do there yet.
    """
    async with engine.begin() as connection:
        claim, places = await claim_retirements(connection, _MOST_AT_ONCE, _LEASE)
    if not places:
        return 0
    due = by_account(places)
    async with engine.begin() as connection:

        async def retire(some: Sequence[Key]) -> None:
            claims = {key: dict.fromkeys(due[key], claim) for key in some}
            await _retire(connection, accounts, claims)

        parted = await do_all_or_each(connection, sorted(due), retire)
    for key, error in parted.failed:
        # Its lease runs out, and it is tried again; all others are retired.
        _log.error("versions could not be retired", about=str(key), exc_info=error)
    wake()
    return len(places)


async def _retire(
    connection: AsyncConnection,
    accounts: Aggregate[Desk],
    claims: Mapping[Key, Mapping[int, str]],
) -> None:
    now = datetime.now(UTC)
    retired: dict[Key, Desk] = {}
    announcements: list[Announcement] = []
    for key, desk in (await accounts.lock(connection, all_of(claims))).items():
        decision = conclude_retirement(desk, Retirement(claims=claims[key], at=now))
        if isinstance(decision, Applied):
            retired[key] = decision.state
            announcements += [Announcement(event, key.brand) for event in decision.events]
    await accounts.save(connection, retired)
    await announce(connection, announcements)
