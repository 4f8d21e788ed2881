"""Ends the vault's part of an uninstallation: the extension's accounts are deleted, all of them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import structlog
from keyturn_contracts.credential_vault import ExtensionCleared
from keyturn_contracts.message import Key
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.credential_vault.rules.account import Desk
from services.credential_vault.rules.deletion import delete_uninstalled
from services.credential_vault.store.accounts import all_of
from services.credential_vault.store.clearances import (
    Clearance,
    load_accounts_of,
    load_left,
    lock_clearances,
    save_clearances,
)
from services.credential_vault.store.entitlements import BrandExtension
from shared.messaging.crash import crash_point
from shared.messaging.failures import do_all_or_each
from shared.messaging.handlers import Aggregate
from shared.messaging.outbox import Announcement, announce

_log = structlog.stdlib.get_logger()

_MOST_AT_ONCE = 200


async def clear_uninstalled(
    engine: AsyncEngine,
    accounts: Aggregate[Desk],
    wake: Callable[[], None],
    *,
    most: int = _MOST_AT_ONCE,
) -> int:
    """Delete accounts of what is being uninstalled, `most` at once; return how much came of it.

    A set's deletions, their count and what is announced of both are one transaction, so whatever
    dies between two of them leaves only what is still to be done. No account is added any more
    once the news of the uninstallation is here, and one whose addition was under way is waited
    for: its worker finds that the brand may not use the extension. So what is done stays done.
    """
    async with engine.begin() as connection:
        cleared = await clear(connection, accounts, most)
        if cleared:
            crash_point("vault.before_clear")
    if cleared:
        crash_point("vault.after_clear")
        wake()
    return cleared


async def clear(connection: AsyncConnection, accounts: Aggregate[Desk], most: int) -> int:
    """Do so in the caller's transaction."""
    clearances = await lock_clearances(connection, most)
    if not clearances:
        return 0
    to_delete = await load_accounts_of(connection, clearances, most)
    begun_by = {key: clearances[one].uninstall_id for key, one in to_delete.items()}
    deleted = await _delete(connection, accounts, begun_by)
    counts = Counter(to_delete[key] for key in deleted)
    left = await load_left(connection, clearances)
    changed = {
        key: replace(one, accounts=one.accounts + counts[key], is_done=key not in left)
        for key, one in clearances.items()
        if counts[key] or key not in left
    }
    if changed:
        await save_clearances(connection, changed)
        await announce(connection, [_announcement(*one) for one in sorted(changed.items())])
    return len(changed)


async def _delete(
    connection: AsyncConnection, accounts: Aggregate[Desk], begun_by: Mapping[Key, str]
) -> list[Key]:
    """Delete accounts, each with the command that began it all; return those that were there.

    One that fails is left for later.
    """
    if not begun_by:
        return []
    now = datetime.now(UTC)

    async def delete(some: Sequence[Key]) -> list[Key]:
        gone: dict[Key, Desk] = {}
        announcements: list[Announcement] = []
        for key, desk in (await accounts.lock(connection, all_of(some))).items():
            decision = delete_uninstalled(desk, now)
            if decision is not None:
                gone[key] = decision.state
                announcements += [
                    Announcement(event, key.brand, correlation=begun_by[key])
                    for event in decision.events
                ]
        if gone:
            await accounts.save(connection, gone)
            await announce(connection, announcements)
        return list(gone)

    parted = await do_all_or_each(connection, sorted(begun_by), delete)
    for key, error in parted.failed:
        _log.error("an account could not be deleted", about=str(key), exc_info=error)
    return [key for _, gone in parted.done for key in gone]


def _announcement(key: BrandExtension, one: Clearance) -> Announcement:
    brand, extension = key
    event = ExtensionCleared(
        extension=extension,
        uninstall_id=one.uninstall_id,
        accounts=one.accounts,
        done=one.is_done,
    )
    return Announcement(event, brand, correlation=one.uninstall_id)
