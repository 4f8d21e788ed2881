"""The lock that grants change under, and the accounts that may lack an owner."""

from collections.abc import Iterable

from sqlalchemy import select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.rules.sharing import Account
from services.access.tables import AccountRow, InstallationRow
from shared.database.rows import Rows

AccountKey = tuple[str, str]
"""A brand and an account of it."""

_KEYS = Rows(AccountRow.brand_id, AccountRow.id)
_LOCK = (
    select(
        AccountRow.brand_id,
        AccountRow.id,
        AccountRow.extension,
        AccountRow.name,
        AccountRow.is_deleted,
        AccountRow.is_created,
    )
    .where(AccountRow.brand_id == _KEYS.c.brand_id, AccountRow.id == _KEYS.c.id)
    .order_by(AccountRow.brand_id, AccountRow.id)
    .with_for_update(key_share=True, of=AccountRow)
)
_LOAD_UNINSTALLING = (
    select(AccountRow.brand_id, AccountRow.id)
    .join(
        InstallationRow,
        (InstallationRow.brand_id == AccountRow.brand_id)
        & (InstallationRow.extension == AccountRow.extension),
    )
    .where(
        AccountRow.brand_id == _KEYS.c.brand_id,
        AccountRow.id == _KEYS.c.id,
        InstallationRow.state.in_(("uninstalling", "uninstalled")),
    )
)

_TO_OWN = (
    select(AccountRow.brand_id, AccountRow.id)
    .where(
        AccountRow.brand_id == _KEYS.c.brand_id,
        AccountRow.id == _KEYS.c.id,
        ~AccountRow.is_deleted,
        ~AccountRow.is_to_own,
    )
    .order_by(AccountRow.brand_id, AccountRow.id)
    .with_for_update(key_share=True, of=AccountRow)
    .cte("to_own")
)
_MARK = (
    update(AccountRow)
    .where(AccountRow.brand_id == _TO_OWN.c.brand_id, AccountRow.id == _TO_OWN.c.id)
    .values(is_to_own=true())
)


async def lock_accounts(
    connection: AsyncConnection, keys: Iterable[AccountKey]
) -> dict[AccountKey, Account]:
    """Have nobody else change what is given of these accounts; return those that are known."""
    given = _KEYS.of(sorted(set(keys)))
    rows = (await connection.execute(_LOCK, given)).all()
    # A statement of its own: what the lock had to wait for is in its snapshot.
    going = {(brand, id_) for brand, id_ in await connection.execute(_LOAD_UNINSTALLING, given)}
    return {
        (brand, id_): Account(
            extension=extension,
            name=name,
            is_deleted=is_deleted,
            is_created=is_created,
            is_uninstalling=(brand, id_) in going,
        )
        for brand, id_, extension, name, is_deleted, is_created in rows
    }


async def note_owners_lost(connection: AsyncConnection, keys: Iterable[AccountKey]) -> None:
    """Have a job see that these accounts have an owner; whoever calls it holds their brands alone.

    Or, sharing the brand, the accounts themselves.
    """
    await connection.execute(_MARK, _KEYS.of(sorted(set(keys))))
