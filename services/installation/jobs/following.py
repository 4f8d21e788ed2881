"""Brings installations to what other services' news makes of them: whatever came, and however late.

Killed anywhere, it leaves either what was still to be done or what is done. Its crash points:
`installation.before_follow` and `installation.after_follow` around the commit of every pass that
found something; `installation.before_uninstalled` and `installation.after_uninstalled` around that
of a pass in which an uninstallation became complete.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog
from keyturn_contracts.installation import ExtensionUninstalled
from keyturn_contracts.message import Key
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.installation.rules.following import follow
from services.installation.rules.installation import Installation
from services.installation.rules.policy import Policy
from services.installation.store import due
from services.installation.store.facts import load_facts
from services.installation.store.installations import lock_installations, save_installations
from shared.decisions import Applied
from shared.messaging.crash import crash_point
from shared.messaging.failures import do_all_or_each
from shared.messaging.outbox import Announcement, announce

_log = structlog.stdlib.get_logger()

_PAUSE = timedelta(seconds=30)
"""After it an installation that failed is looked at again."""


async def spread_news(engine: AsyncEngine, most: int) -> int:
    """Note every installation that news about an extension or a licence concerns."""
    async with engine.begin() as connection:
        return await due.spread(connection, most)


async def follow_installations(engine: AsyncEngine, policy: Policy, most: int) -> int:
    """Look at what is due, and return how many installations that were.

    Any number of processes may do it: what one looks at no other does.
    """
    async with engine.begin() as connection:
        looked_at, events = await look(connection, policy, most)
        has_ended = any(isinstance(one.event, ExtensionUninstalled) for one in events)
        if looked_at:
            crash_point("installation.before_follow")
        if has_ended:
            crash_point("installation.before_uninstalled")
    if looked_at:
        crash_point("installation.after_follow")
    if has_ended:
        crash_point("installation.after_uninstalled")
    return looked_at


async def look(
    connection: AsyncConnection, policy: Policy, most: int
) -> tuple[int, list[Announcement]]:
    """Do so in the caller's transaction. One that fails is left for later, and no other waits."""
    wanted = await due.find(connection, most)
    if not wanted:
        return 0, []
    installations = await lock_installations(connection, wanted)
    taken = sorted(await due.take(connection, wanted))
    if not taken:
        return 0, []
    work = partial(_follow, connection, policy, installations)
    parted = await do_all_or_each(connection, taken, work)
    for key, cause in parted.failed:
        _log.error("an installation could not be followed", about=str(key), exc_info=cause)
    if parted.failed:
        await due.note_again(connection, [key for key, _ in parted.failed], _PAUSE)
    return len(taken), [event for _, events in parted.done for event in events]


async def _follow(
    connection: AsyncConnection,
    policy: Policy,
    installations: Mapping[Key, Installation],
    keys: Sequence[Key],
) -> list[Announcement]:
    # After the locks and the taking: nothing that was noted before can be missing here.
    facts = await load_facts(connection, keys, policy)
    now = await _now(connection)
    changed: dict[Key, Installation] = {}
    announcements: list[Announcement] = []
    for key in keys:
        decision = follow(installations.get(key), facts[key], now, policy)
        if decision.state is not None:
            changed[key] = decision.state
        if isinstance(decision, Applied):
            announcements += [Announcement(event, key.brand) for event in decision.events]
    if changed:
        await save_installations(connection, changed)
    if announcements:
        await announce(connection, announcements)
    return announcements


async def _now(connection: AsyncConnection) -> datetime:
    """Return the database's time: one clock, whichever process this is."""
    return (await connection.execute(select(func.clock_timestamp()))).scalar_one()
