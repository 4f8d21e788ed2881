"""How far the vault has got with extensions that are being uninstalled, and what is left."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keyturn_contracts.message import Key
from sqlalchemy import Integer, bindparam, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.credential_vault.store.entitlements import BrandExtension
from services.credential_vault.store.keys import key_of_account
from services.credential_vault.tables import (
    IS_ENDING,
    IS_LEFT,
    AccountRow,
    ClearanceRow,
    InstallationRow,
    VersionRow,
)
from shared.database.rows import Rows

_TO_CLEAR = (
    select(InstallationRow.brand_id, InstallationRow.extension, InstallationRow.uninstall_id)
    .join(
        ClearanceRow,
        (ClearanceRow.brand_id == InstallationRow.brand_id)
        & (ClearanceRow.extension == InstallationRow.extension)
        & (ClearanceRow.uninstall_id == InstallationRow.uninstall_id),
        isouter=True,
    )
    .where(
        IS_ENDING,
        InstallationRow.uninstall_id.is_not(None),
        ClearanceRow.is_done.is_not(True),
    )
    .order_by(InstallationRow.brand_id, InstallationRow.extension)
    .limit(bindparam("most", type_=Integer))
)
_ROWS = Rows(
    ClearanceRow.brand_id,
    ClearanceRow.extension,
    ClearanceRow.uninstall_id,
    ClearanceRow.accounts,
    ClearanceRow.is_done,
)
_INSERT = _ROWS.insert_into(ClearanceRow)
_BEGIN = _INSERT.on_conflict_do_update(
    index_elements=[ClearanceRow.brand_id, ClearanceRow.extension],
    set_={
        one: _INSERT.excluded[one.key]
        for one in (ClearanceRow.uninstall_id, ClearanceRow.accounts, ClearanceRow.is_done)
    },
    where=ClearanceRow.uninstall_id != _INSERT.excluded.uninstall_id,
)
_SAVE = _ROWS.upsert_into(ClearanceRow)
_KEYS = Rows(ClearanceRow.brand_id, ClearanceRow.extension)
_LOCK = (
    select(
        ClearanceRow.brand_id,
        ClearanceRow.extension,
        ClearanceRow.uninstall_id,
        ClearanceRow.accounts,
    )
    .where(
        ClearanceRow.brand_id == _KEYS.c.brand_id,
        ClearanceRow.extension == _KEYS.c.extension,
        ClearanceRow.is_done.is_(False),
    )
    .order_by(ClearanceRow.brand_id, ClearanceRow.extension)
    .with_for_update(key_share=True, skip_locked=True, of=ClearanceRow)
)
_ACCOUNTS = (
    select(AccountRow.brand_id, AccountRow.id, AccountRow.extension)
    .where(
        AccountRow.brand_id == _KEYS.c.brand_id,
        AccountRow.extension == _KEYS.c.extension,
        IS_LEFT,
        AccountRow.state != "adding",
    )
    .order_by(AccountRow.brand_id, AccountRow.extension, AccountRow.id)
    .limit(bindparam("most", type_=Integer))
)
_IS_BEING_ADDED = exists().where(
    VersionRow.brand_id == AccountRow.brand_id,
    VersionRow.account_id == AccountRow.id,
    VersionRow.status == "pending",
)
_LEFT = select(_KEYS.c.brand_id, _KEYS.c.extension).where(
    exists().where(
        AccountRow.brand_id == _KEYS.c.brand_id,
        AccountRow.extension == _KEYS.c.extension,
        IS_LEFT,
        or_(AccountRow.state != "adding", _IS_BEING_ADDED),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearance:
    """An uninstallation, and how many accounts were deleted for it."""

    uninstall_id: str
    accounts: int
    is_done: bool = False


async def lock_clearances(
    connection: AsyncConnection, most: int
) -> dict[BrandExtension, Clearance]:
    """Return uninstallations that are not done, new ones too, held; not those of another worker.

    Of an extension that is uninstalled once more the count begins anew. One that everybody takes
    for complete is begun too, where nothing is on record of it: after a restore its accounts are
    back.
    """
    due = (await connection.execute(_TO_CLEAR, {"most": most})).all()
    if not due:
        return {}
    await connection.execute(_BEGIN, _ROWS.of((*one, 0, False) for one in due))
    wanted = {(brand, extension): uninstall_id for brand, extension, uninstall_id in due}
    return {
        (brand, extension): Clearance(uninstall_id=uninstall_id, accounts=accounts)
        for brand, extension, uninstall_id, accounts in await connection.execute(
            _LOCK, _KEYS.of(wanted)
        )
        if wanted[brand, extension] == uninstall_id
    }


async def load_accounts_of(
    connection: AsyncConnection, extensions: Iterable[BrandExtension], most: int
) -> dict[Key, BrandExtension]:
    """Return accounts that are to be deleted: those that somebody may have heard of."""
    rows = await connection.execute(_ACCOUNTS, {**_KEYS.of(sorted(extensions)), "most": most})
    return {key_of_account(brand, id_): (brand, extension) for brand, id_, extension in rows}


async def load_left(
    connection: AsyncConnection, extensions: Iterable[BrandExtension]
) -> set[BrandExtension]:
    """Return those with an account that is not deleted, or is being added at this moment."""
    rows = await connection.execute(_LEFT, _KEYS.of(sorted(extensions)))
    return {(brand, extension) for brand, extension in rows}


async def save_clearances(
    connection: AsyncConnection, changed: Mapping[BrandExtension, Clearance]
) -> None:
    rows = (
        (*key, one.uninstall_id, one.accounts, one.is_done) for key, one in sorted(changed.items())
    )
    await connection.execute(_SAVE, _ROWS.of(rows))
