"""Counts how much of which extensions engines use, and says so where it is different."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

import structlog
from keyturn_contracts.message import Key
from keyturn_contracts.workflow import ExtensionUse
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.workflow.rules.engine import Engine, count_uses
from services.workflow.store.counting import load_to_count, load_uses, postpone, save_counted
from services.workflow.store.engine import lock_engines, save_engines
from shared.messaging.failures import do_all_or_each
from shared.messaging.outbox import Announcement, announce

_log = structlog.stdlib.get_logger()


async def count_engines(engine: AsyncEngine, pause: timedelta, most: int) -> int:
    """Count engines whose bindings changed, each once in a `pause`; return how many it counted."""
    async with engine.begin() as connection:
        return await count(connection, pause, most)


async def count(connection: AsyncConnection, pause: timedelta, most: int) -> int:
    """Do so in the caller's transaction: it counts before it holds any engine.

    What changes meanwhile is counted the next time.
    """
    due = await load_to_count(connection, most)
    if not due:
        return 0
    uses = await load_uses(connection, due)
    engines = await lock_engines(connection, due)
    await postpone(connection, due, pause)
    tell = partial(_tell, connection, due, uses, engines)
    parted = await do_all_or_each(connection, sorted(due), tell)
    for key, cause in parted.failed:
        _log.error("what an engine uses could not be told", engine=str(key), exc_info=cause)
    return len(due)


async def _tell(
    connection: AsyncConnection,
    due: Mapping[Key, int],
    uses: Mapping[Key, tuple[ExtensionUse, ...]],
    engines: Mapping[Key, Engine],
    keys: Sequence[Key],
) -> None:
    changed: dict[Key, Engine] = {}
    announcements: list[Announcement] = []
    for key in keys:
        counted = count_uses(engines[key], uses.get(key, ()))
        if counted is not None:
            changed[key], event = counted
            announcements.append(Announcement(event, key.brand))
    await save_engines(connection, changed)
    await save_counted(connection, {key: due[key] for key in keys})
    await announce(connection, announcements)
