"""Puts on record what happened."""

from collections.abc import Iterable

from keyturn_contracts.ids import new_id
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.rules.record import Record
from services.access.tables import AuditRow
from shared.database.rows import Rows

_RECORDS = Rows(
    AuditRow.brand_id,
    AuditRow.id,
    AuditRow.at,
    AuditRow.issuer,
    AuditRow.actor,
    AuditRow.action,
    AuditRow.subject,
    AuditRow.members,
    AuditRow.why,
)
_SAVE = _RECORDS.insert_into(AuditRow)


async def save_records(connection: AsyncConnection, records: Iterable[tuple[str, Record]]) -> None:
    """Add what happened in each brand; in the transaction of what is on record."""
    rows = [
        (
            brand,
            new_id(),
            one.at,
            one.issuer,
            one.actor,
            one.action,
            one.subject,
            dict(one.members),
            one.why,
        )
        for brand, one in records
    ]
    if rows:
        await connection.execute(_SAVE, _RECORDS.of(rows))
