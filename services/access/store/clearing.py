"""How far the access service has got with uninstallations, and what is left of their extensions."""

from collections.abc import Iterable, Mapping

from sqlalchemy import exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.rules.clearing import Clearance
from services.access.store.accounts import AccountKey
from services.access.store.enablements import BrandExtension
from services.access.store.ending import MOST, in_turn
from services.access.tables import (
    IS_ENABLED,
    IS_GRANTED,
    AccountRow,
    ClearanceRow,
    EnablementRow,
    GrantRow,
    InstallationRow,
)
from shared.database.rows import Rows

_EXTENSIONS = Rows(InstallationRow.brand_id, InstallationRow.extension)
_IS_GIVEN = (InstallationRow.brand_id == _EXTENSIONS.c.brand_id) & (
    InstallationRow.extension == _EXTENSIONS.c.extension
)
_FIND = (
    select(InstallationRow.brand_id, InstallationRow.extension)
    .where(InstallationRow.is_to_end, InstallationRow.uninstall_id.is_not(None))
    .order_by(*in_turn(InstallationRow.brand_id, InstallationRow.extension))
    .limit(MOST)
)
_LOCK = (
    select(InstallationRow.brand_id, InstallationRow.extension, InstallationRow.uninstall_id)
    .where(_IS_GIVEN, InstallationRow.is_to_end, InstallationRow.uninstall_id.is_not(None))
    .order_by(InstallationRow.brand_id, InstallationRow.extension)
    .with_for_update(key_share=True, skip_locked=True, of=InstallationRow)
)
_LOAD = select(
    ClearanceRow.brand_id,
    ClearanceRow.extension,
    ClearanceRow.uninstall_id,
    ClearanceRow.grants,
    ClearanceRow.enablements,
    ClearanceRow.is_done,
).where(
    ClearanceRow.brand_id == _EXTENSIONS.c.brand_id,
    ClearanceRow.extension == _EXTENSIONS.c.extension,
)
_ROWS = Rows(
    ClearanceRow.brand_id,
    ClearanceRow.extension,
    ClearanceRow.uninstall_id,
    ClearanceRow.grants,
    ClearanceRow.enablements,
    ClearanceRow.is_done,
)
_SAVE = _ROWS.upsert_into(ClearanceRow)
_END = update(InstallationRow).where(_IS_GIVEN).values(is_to_end=False)

_HAS_GRANTS = exists().where(
    GrantRow.brand_id == AccountRow.brand_id, GrantRow.account_id == AccountRow.id, IS_GRANTED
)
_IS_OF_EXTENSION = (AccountRow.brand_id == _EXTENSIONS.c.brand_id) & (
    AccountRow.extension == _EXTENSIONS.c.extension
)
_FIND_ACCOUNTS = (
    select(AccountRow.brand_id, AccountRow.id).where(_IS_OF_EXTENSION, _HAS_GRANTS).limit(MOST)
)
_LEFT = select(_EXTENSIONS.c.brand_id, _EXTENSIONS.c.extension).where(
    or_(
        exists().where(_IS_OF_EXTENSION, _HAS_GRANTS),
        exists().where(
            EnablementRow.brand_id == _EXTENSIONS.c.brand_id,
            EnablementRow.extension == _EXTENSIONS.c.extension,
            IS_ENABLED,
        ),
    )
)


async def find_to_clear(connection: AsyncConnection, most: int) -> list[BrandExtension]:
    """Return extensions whose uninstallation this service has not done its part of.

    One of each brand first.
    """
    return [(brand, slug) for brand, slug in await connection.execute(_FIND, {"most": most})]


async def lock_clearances(
    connection: AsyncConnection, extensions: Iterable[BrandExtension]
) -> dict[BrandExtension, Clearance]:
    """Return how far each is, held; not those of another worker, nor with news just being saved.

    Of an extension that is uninstalled once more the count begins anew.
    """
    rows = await connection.execute(_LOCK, _EXTENSIONS.of(sorted(extensions)))
    begun = {
        (brand, slug): Clearance(uninstall_id=uninstall_id)
        for brand, slug, uninstall_id in rows
        if uninstall_id is not None
    }
    if not begun:
        return {}
    for brand, slug, uninstall_id, grants, enablements, is_done in await connection.execute(
        _LOAD, _EXTENSIONS.of(sorted(begun))
    ):
        if begun[brand, slug].uninstall_id == uninstall_id:
            begun[brand, slug] = Clearance(
                uninstall_id=uninstall_id,
                grants=grants,
                enablements=enablements,
                is_done=is_done,
            )
    return begun


async def find_granted(
    connection: AsyncConnection, extension: BrandExtension, most: int
) -> set[AccountKey]:
    """Return accounts of this extension with grants that are not ended, deleted or not."""
    given = {**_EXTENSIONS.of([extension]), "most": most}
    return {(brand, id_) for brand, id_ in await connection.execute(_FIND_ACCOUNTS, given)}


async def load_left(
    connection: AsyncConnection, extensions: Iterable[BrandExtension]
) -> set[BrandExtension]:
    """Return those of which anything is left: a grant on an account, or an enablement."""
    rows = await connection.execute(_LEFT, _EXTENSIONS.of(sorted(extensions)))
    return {(brand, slug) for brand, slug in rows}


async def save_clearances(
    connection: AsyncConnection, changed: Mapping[BrandExtension, Clearance]
) -> None:
    rows = (
        (*key, one.uninstall_id, one.grants, one.enablements, one.is_done)
        for key, one in sorted(changed.items())
    )
    await connection.execute(_SAVE, _ROWS.of(rows))


async def end_clearances(connection: AsyncConnection, extensions: Iterable[BrandExtension]) -> None:
    """Note that nothing is left to be ended of these."""
    await connection.execute(_END, _EXTENSIONS.of(sorted(extensions)))
