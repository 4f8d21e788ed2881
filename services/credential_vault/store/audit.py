"""Puts on record what happened, in the transaction in which it does."""

from collections.abc import Iterable

from keyturn_contracts.ids import new_id
from sqlalchemy.ext.asyncio import AsyncConnection

from services.credential_vault.rules.audit import Entry
from services.credential_vault.tables import AuditRow
from shared.database.rows import Rows

_ENTRIES = Rows(
    AuditRow.brand_id,
    AuditRow.id,
    AuditRow.at,
    AuditRow.issuer,
    AuditRow.actor,
    AuditRow.action,
    AuditRow.account_id,
    AuditRow.version,
    AuditRow.engine_id,
    AuditRow.result,
    AuditRow.reason,
)
_WRITE = _ENTRIES.insert_into(AuditRow)


async def write_entries(connection: AsyncConnection, entries: Iterable[tuple[str, Entry]]) -> None:
    """Add them, each with its brand; the caller's commit makes them stand."""
    rows = [
        (
            brand,
            new_id(),
            one.at,
            one.by.issuer,
            one.by.subject,
            one.action,
            one.account_id,
            one.version,
            one.engine_id,
            one.result,
            one.reason,
        )
        for brand, one in entries
    ]
    if rows:
        await connection.execute(_WRITE, _ENTRIES.of(rows))
