"""Records that could not be read, verified or applied: kept for a while, and always counted."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.rows import Rows
from shared.messaging.kept import to_columns
from shared.messaging.record import RawRecord, Unreadable
from shared.messaging.tables import UnreadableCountRow, UnreadableRow

KEPT_A_DAY = 1000
"""So many are kept of a day; what comes beyond is only counted."""
LARGEST_KEPT = 64 * 1024
"""The value of a larger one stays in its topic alone."""
KEPT_FOR = timedelta(days=30)
_LONGEST_DETAIL = 200

_COUNTS = Rows(UnreadableCountRow.day, UnreadableCountRow.reason, UnreadableCountRow.noticed)
_ADDED = _COUNTS.insert_into(UnreadableCountRow)
_COUNT = _ADDED.on_conflict_do_update(
    index_elements=[UnreadableCountRow.day, UnreadableCountRow.reason],
    set_={UnreadableCountRow.noticed: UnreadableCountRow.noticed + _ADDED.excluded.noticed},
)
_KEPT = select(func.count()).select_from(UnreadableRow)
_ROWS = Rows(
    UnreadableRow.topic,
    UnreadableRow.partition,
    UnreadableRow.offset,
    UnreadableRow.noticed_at,
    UnreadableRow.reason,
    UnreadableRow.detail,
    UnreadableRow.record_key,
    UnreadableRow.record_value,
    UnreadableRow.record_headers,
    UnreadableRow.record_timestamp_ms,
    UnreadableRow.record_timestamp_type,
    UnreadableRow.is_whole,
)
# A topic that was deleted and made again has the same offsets once more.
_KEEP = _ROWS.insert_into(UnreadableRow).on_conflict_do_nothing()


async def keep(
    connection: AsyncConnection,
    found: Sequence[tuple[RawRecord, Unreadable]],
    now: datetime,
    *,
    a_day: int = KEPT_A_DAY,
) -> None:
    """Count them, and keep as many as the day still has room for; none of them holds a key."""
    today = now.astimezone(UTC).date()
    by_reason = Counter(unreadable.reason for _, unreadable in found)
    counts = [(today, reason, number) for reason, number in sorted(by_reason.items())]
    await connection.execute(_COUNT, _COUNTS.of(counts))
    since = datetime(today.year, today.month, today.day, tzinfo=UTC)
    kept = await connection.scalar(_KEPT.where(UnreadableRow.noticed_at >= since)) or 0
    if room := max(0, a_day - kept):
        rows = [_row(record, unreadable, now) for record, unreadable in found[:room]]
        await connection.execute(_KEEP, _ROWS.of(rows))


async def forget(connection: AsyncConnection, now: datetime) -> int:
    """Delete what was kept long enough; return how many."""
    old = delete(UnreadableRow).where(UnreadableRow.noticed_at < now - KEPT_FOR)
    return (await connection.execute(old)).rowcount


def _row(record: RawRecord, unreadable: Unreadable, now: datetime) -> tuple[object, ...]:
    columns = to_columns(record)
    is_whole = len(record.value or b"") <= LARGEST_KEPT and len(columns.headers) <= LARGEST_KEPT
    if not is_whole:
        columns = columns._replace(value=None, headers="[]")
    return (
        *(record.topic, record.partition, record.offset),
        now,
        unreadable.reason,
        _as_text(unreadable.detail),
        *columns,
        is_whole,
    )


def _as_text(detail: str) -> str:
    # A header's name is a stranger's text: PostgreSQL takes neither NUL nor half a surrogate.
    text = detail.encode(errors="replace").decode().replace("\x00", "?")
    return text[:_LONGEST_DETAIL]
