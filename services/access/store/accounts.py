"""The lock that grants change under, and the accounts that may lack an owner."""

from collections.abc import Iterable

from sqlalchemy import false, func, select, true, update
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
        func.coalesce(InstallationRow.state.in_(("uninstalling", "uninstalled")), false()),
    )
    .join_from(
        AccountRow,
        InstallationRow,
        (InstallationRow.brand_id == AccountRow.brand_id)
        & (InstallationRow.extension == AccountRow.extension),
        isouter=True,
    )
    .where(AccountRow.brand_id == _KEYS.c.brand_id, AccountRow.id == _KEYS.c.id)
    .order_by(AccountRow.brand_id, AccountRow.id)
    .with_for_update(key_share=True, of=AccountRow)
)

_BRANDS = Rows(AccountRow.brand_id)
_TO_OWN = (
    select(AccountRow.brand_id, AccountRow.id)
    .where(~AccountRow.is_deleted, ~AccountRow.is_to_own)
    .order_by(AccountRow.brand_id, AccountRow.id)
    .with_for_update(key_share=True, of=AccountRow)
)
_SOME_TO_OWN = _TO_OWN.where(
    AccountRow.brand_id == _KEYS.c.brand_id, AccountRow.id == _KEYS.c.id
).cte("some")
_ALL_TO_OWN = _TO_OWN.where(AccountRow.brand_id == _BRANDS.c.brand_id).cte("all_of_them")
_MARK_SOME = (
    update(AccountRow)
    .where(AccountRow.brand_id == _SOME_TO_OWN.c.brand_id, AccountRow.id == _SOME_TO_OWN.c.id)
    .values(is_to_own=true())
)
_MARK_ALL = (
    update(AccountRow)
    .where(AccountRow.brand_id == _ALL_TO_OWN.c.brand_id, AccountRow.id == _ALL_TO_OWN.c.id)
    .values(is_to_own=true())
)


async def lock_accounts(
    connection: AsyncConnection, keys: Iterable[AccountKey]
) -> dict[AccountKey, Account]:
    """Have nobody else change what is given of these accounts; return those that are known."""
    rows = await connection.execute(_LOCK, _KEYS.of(sorted(set(keys))))
    return {
        (brand, id_): Account(
            extension=extension,
            name=name,
            is_deleted=is_deleted,
            is_created=is_created,
            is_uninstalling=is_uninstalling,
        )
        for brand, id_, extension, name, is_deleted, is_created, is_uninstalling in rows
    }


async def note_owners_lost(connection: AsyncConnection, keys: Iterable[AccountKey]) -> None:
    """Have a job see that these accounts have an owner; whoever calls it holds their brands alone.

    Or, sharing the brand, the accounts themselves.
    """
    await connection.execute(_MARK_SOME, _KEYS.of(sorted(set(keys))))


async def note_lists_begun(connection: AsyncConnection, brands: Iterable[str]) -> None:
    """Have a job see that each of these brands' accounts has an owner who is on the list."""
    await connection.execute(_MARK_ALL, _BRANDS.of((one,) for one in sorted(set(brands))))
