"""Of which brands something has changed that decisions rest on, since somebody looked last."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.messaging.outbox import REVISION

SINCE = """
    change.xid >= pg_snapshot_xmin(CAST(CAST(:seen AS text) AS pg_snapshot))::text::bigint
    AND NOT pg_visible_in_snapshot(
        change.xid::text::xid8, CAST(CAST(:seen AS text) AS pg_snapshot)
    )
"""
"""Whether a change has been committed that the snapshot `seen` does not show. NULL where it is."""

_LOAD = text(f"""
    SELECT pg_current_snapshot()::text, pg_current_xact_id()::text::bigint, {REVISION},
           ARRAY(SELECT DISTINCT change.brand_id FROM change WHERE {SINCE})
""")  # noqa: S608  our own words


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a statement saw, as PostgreSQL writes it: `xmin:xmax:in progress`."""

    text: str

    @property
    def xmin(self) -> int:
        """Every transaction below had ended: it is seen, or was undone."""
        return int(self.text.split(":", 2)[0])

    @property
    def xmax(self) -> int:
        """Of those from here on nothing is seen, whether they are at work or still to come."""
        return int(self.text.split(":", 2)[1])


@dataclass(frozen=True, slots=True)
class Changes:
    """What a look at the database found."""

    snapshot: Snapshot
    xid: int
    """The looking transaction's own id, given during the look: all that are given later are higher.

    `xmax` says less: transactions above it may be at work already, where none of them has ended.
    """
    revision: int
    """The outbox's last number, read after the snapshot was taken."""
    brands: tuple[str, ...]


async def load_changes(connection: AsyncConnection, seen: Snapshot | None) -> Changes:
    """Return of which brands something was committed since; without `seen` of none."""
    row = (await connection.execute(_LOAD, {"seen": seen and seen.text})).one()
    snapshot, xid, revision, brands = row
    return Changes(Snapshot(snapshot), int(xid), int(revision), tuple(brands))
