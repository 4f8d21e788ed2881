"""Lists that had time to come together, and who was given something and never came onto them."""

from collections.abc import Iterable

from keyturn_contracts.access import EVERYONE
from sqlalchemy import exists, func, null, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.store.ending import MOST
from services.access.store.people import Person
from services.access.tables import (
    IS_ENABLED,
    IS_GATHERING,
    IS_GRANTED,
    BrandRow,
    EnablementRow,
    GrantRow,
    MemberRow,
)
from shared.database.rows import Rows

_FIND = (
    select(BrandRow.brand_id)
    .where(IS_GATHERING, BrandRow.gathers_until <= func.now())
    .order_by(BrandRow.gathers_until)
    .limit(MOST)
)
_BRANDS = Rows(BrandRow.brand_id)
_GIVEN = (
    select(GrantRow.member)
    .where(
        GrantRow.brand_id == _BRANDS.c.brand_id,
        IS_GRANTED,
        GrantRow.member != EVERYONE,
        ~exists().where(MemberRow.brand_id == GrantRow.brand_id, MemberRow.id == GrantRow.member),
    )
    .union(
        select(EnablementRow.member).where(
            EnablementRow.brand_id == _BRANDS.c.brand_id,
            IS_ENABLED,
            EnablementRow.member != EVERYONE,
            ~exists().where(
                MemberRow.brand_id == EnablementRow.brand_id,
                MemberRow.id == EnablementRow.member,
            ),
        )
    )
    .limit(MOST)
    .lateral("given_to")
)
_FIND_NEVER_LISTED = select(_BRANDS.c.brand_id, _GIVEN.c.member).join_from(
    _BRANDS.table, _GIVEN, true()
)
_END = update(BrandRow).where(BrandRow.brand_id == _BRANDS.c.brand_id).values(gathers_until=null())


async def find_gathered(connection: AsyncConnection, most: int) -> list[str]:
    """Return brands whose lists had their time, the longest ago first."""
    return list(await connection.scalars(_FIND, {"most": most}))


async def find_never_listed(
    connection: AsyncConnection, brands: Iterable[str], most: int
) -> set[Person]:
    """Return who has a grant or an enablement and was never on their list, `most` of each brand."""
    rows = await connection.execute(_FIND_NEVER_LISTED, _rows_of(brands) | {"most": most})
    return {(brand, member) for brand, member in rows}


async def end_gathering(connection: AsyncConnection, brands: Iterable[str]) -> None:
    """Note that nothing is left that was given before to who was never on these lists."""
    await connection.execute(_END, _rows_of(brands))


def _rows_of(brands: Iterable[str]) -> dict[str, list[object]]:
    return _BRANDS.of((one,) for one in sorted(brands))
