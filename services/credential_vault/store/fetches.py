"""The account's side of a fetch: a shared lock, and who got which version, before any answer."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Boolean, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.credential_vault.rules.fetching import Fetchable
from services.credential_vault.tables import AccountRow, HolderRow
from shared.database.rows import Rows

_KEYS = Rows(AccountRow.brand_id, AccountRow.id)
_LOCK_SHARED = (
    select(
        AccountRow.id,
        AccountRow.extension,
        AccountRow.state,
        AccountRow.version,
        AccountRow.settings,
    )
    .where(AccountRow.brand_id == _KEYS.c.brand_id, AccountRow.id == _KEYS.c.id)
    .order_by(AccountRow.brand_id, AccountRow.id)
    .with_for_update(read=True, of=AccountRow)
)
_HOLDERS = Rows(
    HolderRow.brand_id,
    HolderRow.account_id,
    HolderRow.engine_id,
    HolderRow.version,
    HolderRow.lease_until,
)
_INSERT = _HOLDERS.insert_into(HolderRow)
# A row that an upsert inserted has no `xmax`; one that it found was locked, and has. Of two fetches
# at once the one that began first may be recorded last: the lease that ends last is the one to wait
# for.
_RECORD = _INSERT.on_conflict_do_update(
    index_elements=[
        HolderRow.brand_id,
        HolderRow.account_id,
        HolderRow.engine_id,
        HolderRow.version,
    ],
    set_={
        HolderRow.lease_until: func.greatest(HolderRow.lease_until, _INSERT.excluded.lease_until)
    },
).returning(HolderRow.account_id, literal_column("(holder.xmax = 0)", Boolean))


@dataclass(frozen=True, slots=True)
class Fetched:
    """One engine gets one version; of a leasing one, until when."""

    account_id: str
    engine_id: str
    version: int
    lease_until: datetime | None


async def lock_shared(
    connection: AsyncConnection, brand: str, account_ids: Iterable[str]
) -> dict[str, tuple[Fetchable, dict[str, str]]]:
    """Return those that exist, with their settings; until the transaction ends none is rotated.

    Other fetches go on beside it; a rotation waits for it, and then sees the holder that it
    recorded.
    """
    rows = await connection.execute(
        _LOCK_SHARED, _KEYS.of((brand, one) for one in sorted(set(account_ids)))
    )
    return {
        row.id: (
            Fetchable(extension=row.extension, state=row.state, version=row.version),
            row.settings,
        )
        for row in rows
    }


async def record_holders(
    connection: AsyncConnection, brand: str, fetched: Iterable[Fetched]
) -> set[str]:
    """Record who holds what, and return the accounts whose version is new to its engine.

    Under the accounts' shared locks; the holders' rows are then locked too, so what is announced
    of them has one order.
    """
    rows = sorted(
        (brand, one.account_id, one.engine_id, one.version, one.lease_until) for one in fetched
    )
    recorded = await connection.execute(_RECORD, _HOLDERS.of(rows))
    return {account_id for account_id, is_new in recorded if is_new}
