"""Ends this service's part of an uninstallation: tasks are suspended and engines have let go."""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.workflow.rules.clearance import clear as clear_by
from services.workflow.rules.clearance import event_about
from services.workflow.store.clearance import load_remains, lock_clearances, save_clearances
from shared.messaging.crash import crash_point
from shared.messaging.outbox import Announcement, announce


async def clear_uninstalled(engine: AsyncEngine, most: int) -> int:
    """Look at what is being uninstalled; return of how many there was something new to tell.

    Bindings are suspended and rollouts closed by the jobs for that, as for any account: this one
    only counts, so whatever dies in between leaves nothing but what is to be counted again.
    """
    async with engine.begin() as connection:
        told = await clear(connection, most)
        if told:
            crash_point("workflow.before_clear")
    if told:
        crash_point("workflow.after_clear")
    return told


async def clear(connection: AsyncConnection, most: int) -> int:
    """Do so in the caller's transaction."""
    clearances = await lock_clearances(connection, most)
    if not clearances:
        return 0
    remains = await load_remains(connection, clearances)
    changed = {
        key: after
        for key, before in clearances.items()
        if (after := clear_by(before, remains[key])) != before
    }
    if changed:
        await save_clearances(connection, changed)
        await announce(
            connection,
            [
                Announcement(event_about(extension, one), brand, correlation=one.uninstall_id)
                for (brand, extension), one in sorted(changed.items())
            ],
        )
    return len(changed)
