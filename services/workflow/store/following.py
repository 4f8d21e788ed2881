"""Brands whose accounts are to follow a licence or an installation, and those accounts."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Integer, bindparam, or_, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.rules.entitlement import Entitlement, why_barred
from services.workflow.store.entitlement import BrandExtension
from services.workflow.tables import UNKNOWN, AccountRow, InstallationRow, LicenceRow
from shared.database.rows import Rows

_TO_FOLLOW = (
    union(
        select(LicenceRow.brand_id).where(LicenceRow.is_to_follow),
        select(InstallationRow.brand_id).where(InstallationRow.is_to_follow),
    )
    .order_by("brand_id")
    .limit(bindparam("most", type_=Integer))
)
_BRANDS = Rows(LicenceRow.brand_id)
_LICENCES = (
    select(LicenceRow.brand_id)
    .where(LicenceRow.brand_id == _BRANDS.c.brand_id, LicenceRow.is_to_follow)
    .order_by(LicenceRow.brand_id)
    .with_for_update(key_share=True, of=LicenceRow)
    .cte("to_follow")
)
_FOLLOWED_LICENCES = (
    update(LicenceRow).where(LicenceRow.brand_id == _LICENCES.c.brand_id).values(is_to_follow=False)
)
_INSTALLATIONS = (
    select(InstallationRow.brand_id, InstallationRow.extension)
    .where(InstallationRow.brand_id == _BRANDS.c.brand_id, InstallationRow.is_to_follow)
    .order_by(InstallationRow.brand_id, InstallationRow.extension)
    .with_for_update(key_share=True, of=InstallationRow)
    .cte("to_follow")
)
_FOLLOWED_INSTALLATIONS = (
    update(InstallationRow)
    .where(
        InstallationRow.brand_id == _INSTALLATIONS.c.brand_id,
        InstallationRow.extension == _INSTALLATIONS.c.extension,
    )
    .values(is_to_follow=False)
)
_USED = (
    select(AccountRow.brand_id, AccountRow.extension)
    .where(AccountRow.brand_id == _BRANDS.c.brand_id, AccountRow.state != UNKNOWN)
    .distinct()
)
_BARRED = Rows(AccountRow.brand_id, AccountRow.extension, AccountRow.barred, AccountRow.party)
_TO_CHANGE = (
    select(AccountRow.brand_id, AccountRow.id, _BARRED.c.barred, _BARRED.c.party)
    .where(
        AccountRow.brand_id == _BARRED.c.brand_id,
        AccountRow.extension == _BARRED.c.extension,
        AccountRow.state != UNKNOWN,
        or_(
            AccountRow.barred.is_distinct_from(_BARRED.c.barred),
            AccountRow.party != _BARRED.c.party,
        ),
    )
    .order_by(AccountRow.brand_id, AccountRow.id)
    .with_for_update(key_share=True, of=AccountRow)
    .cte("to_change")
)
_CHANGE = (
    update(AccountRow)
    .where(AccountRow.brand_id == _TO_CHANGE.c.brand_id, AccountRow.id == _TO_CHANGE.c.id)
    .values(barred=_TO_CHANGE.c.barred, party=_TO_CHANGE.c.party, is_to_judge=True)
)


async def load_brands_to_follow(connection: AsyncConnection, most: int) -> list[str]:
    return list((await connection.scalars(_TO_FOLLOW, {"most": most})).all())


async def mark_followed(connection: AsyncConnection, brands: Iterable[str]) -> None:
    """Take the marks off; news that comes after it sets them again. Waits for news at work."""
    given = _BRANDS.of((one,) for one in brands)
    await connection.execute(_FOLLOWED_LICENCES, given)
    await connection.execute(_FOLLOWED_INSTALLATIONS, given)


async def load_used(connection: AsyncConnection, brands: Iterable[str]) -> list[BrandExtension]:
    """Return the extensions that accounts of these brands are of."""
    rows = await connection.execute(_USED, _BRANDS.of((one,) for one in brands))
    return [(brand, extension) for brand, extension in rows]


async def bar_accounts(
    connection: AsyncConnection, entitlements: Mapping[BrandExtension, Entitlement]
) -> None:
    """Bar accounts or let them in, and have those that this changes judged again."""
    rows = (
        (*key, why_barred(one), one.party)
        for key, one in sorted(entitlements.items(), key=lambda one: one[0])
    )
    await connection.execute(_CHANGE, _BARRED.of(rows))
