"""The days of the inbox: made ahead, and gone when no command of theirs can come any more."""

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta

from keyturn_contracts.topics import DAY_MS
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.messaging.inbox import OLDEST_ID
from shared.messaging.tables import HeldRow

AHEAD = 3
"""So many days are made ahead: whoever makes them may fail that long."""
LATE = timedelta(days=3)
"""How long a record lies in its topic before it is gone unread."""
KEPT = OLDEST_ID + LATE + timedelta(days=1)
"""A day of the inbox is kept so long after it has ended: seven days its ids may be sent again, and
three more a record may lie unread."""

_PREFIX = "inbox_"
_DAYS = text("""
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'public.inbox'::regclass
""")


async def keep_days(connection: AsyncConnection, now: datetime) -> tuple[int, int]:
    """Make the days of the inbox that are missing and drop the old ones; return how many of each.

    As the owner. A day that a held command belongs to stays, however old: it is still to be
    remembered when somebody retries it. Gives up after a second where the table is in use.
    """
    await connection.execute(text("SET LOCAL lock_timeout = '1s'"))
    there = {_day_of(name) for name in await connection.scalars(_DAYS)}
    wanted = set(_days(now))
    for day in sorted(wanted - there):
        await _make(connection, day)
    old = {day for day in there - wanted if day < min(wanted)}
    dropped = 0
    for day in sorted(old - await _days_of_held(connection, old)):
        await connection.exec_driver_sql(f"DROP TABLE {_name_of(day)}")
        dropped += 1
    return len(wanted - there), dropped


def _days(now: datetime) -> Iterator[date]:
    day = (now - KEPT).astimezone(UTC).date()
    while day <= (now + timedelta(days=AHEAD)).astimezone(UTC).date():
        yield day
        day += timedelta(days=1)


async def _make(connection: AsyncConnection, day: date) -> None:
    name, first, end = _name_of(day), first_id(day), first_id(day + timedelta(days=1))
    # Made beside and attached: `PARTITION OF` would lock everybody out of the table meanwhile.
    await connection.exec_driver_sql(f"CREATE TABLE {name} (LIKE inbox INCLUDING ALL)")
    await connection.exec_driver_sql(
        f"ALTER TABLE inbox ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{end}')"
    )


async def _days_of_held(connection: AsyncConnection, days: Collection[date]) -> set[date]:
    held: set[date] = set()
    for day in days:
        among = select(func.count()).where(
            HeldRow.command_id >= first_id(day),
            HeldRow.command_id < first_id(day + timedelta(days=1)),
        )
        if await connection.scalar(among):
            held.add(day)
    return held


def first_id(day: date) -> str:
    """Return what stands before every id of this day (UTC), and after all of the day before."""
    since = datetime.combine(day, time(), UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    digits = f"{since.days * DAY_MS:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _name_of(day: date) -> str:
    return f"{_PREFIX}{day:%Y%m%d}"


def _day_of(name: str) -> date:
    return datetime.strptime(name.removeprefix(_PREFIX), "%Y%m%d").replace(tzinfo=UTC).date()
