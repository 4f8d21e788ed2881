"""The jobs that every service has: what it keeps about its messages is counted, made and let go."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from shared.database.engines import create_engine
from shared.messaging import unreadable
from shared.messaging.context import Context
from shared.messaging.days import keep_days
from shared.messaging.held_desk import count_held
from shared.messaging.jobs import Job
from shared.telemetry import metrics


def housekeeping(context: Context) -> Sequence[Job]:
    """Return them; none is woken by commits."""

    async def count() -> int:
        async with context.writer.connect() as connection:
            held = await count_held(connection)
        for state, number in held.items():
            metrics.HELD.labels(state=state).set(number)
        return 0

    async def keep_days_of_the_inbox() -> int:
        # Days are tables, which their owner makes; once an hour is no reason to stay connected.
        owner = create_engine(context.settings.database, "owner", connections=1)
        try:
            async with owner.begin() as connection:
                await keep_days(connection, datetime.now(UTC))
        finally:
            await owner.dispose()
        return 0

    async def forget_unreadable() -> int:
        async with context.writer.begin() as connection:
            await unreadable.forget(connection, datetime.now(UTC))
        return 0

    return (
        Job(name="held-count", run=count, every=timedelta(seconds=5), woken_by=()),
        Job(name="inbox-days", run=keep_days_of_the_inbox, every=_HOUR, woken_by=()),
        Job(name="unreadable-forget", run=forget_unreadable, every=_HOUR, woken_by=()),
    )


_HOUR = timedelta(hours=1)
