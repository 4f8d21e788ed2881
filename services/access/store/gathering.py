"""Lists that had time to come together, and who was given something and never came onto them."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from keyturn_contracts.access import EVERYONE
from sqlalchemy import Select, Text, column, exists, func, null, or_, select, true, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.sql.elements import TextClause

from services.access.store.ending import MOST
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

Place = tuple[str, str]
"""Where a grant or an enablement stands in its brand: an account or extension, and a member."""
FIRST: Place = ("", "")
"""Before all of them."""


class Given(NamedTuple):
    """What somebody was given, and is not ended."""

    brand: str
    place: Place
    is_listed: bool
    """Whether they are or were on the list, as everyone counts as."""

    @property
    def member(self) -> str:
        return self.place[1]


_FIND = (
    select(BrandRow.brand_id)
    .where(IS_GATHERING, BrandRow.gathers_until <= func.now())
    .order_by(BrandRow.gathers_until)
    .limit(MOST)
)
_AFTER = Rows(BrandRow.brand_id, column("thing", Text), column("member", Text), name="after")


def _after(
    brand: QueryableAttribute[str],
    thing: QueryableAttribute[str],
    member: QueryableAttribute[str],
    is_alive: TextClause,
) -> Select[str, str, str, bool]:
    """Read on in the order of an index, so that no more is read than is returned."""
    is_listed = or_(
        member == EVERYONE, exists().where(MemberRow.brand_id == brand, MemberRow.id == member)
    )
    some = (
        select(thing.label("thing"), member.label("member"), is_listed.label("is_listed"))
        .where(
            brand == _AFTER.c.brand_id,
            is_alive,
            tuple_(thing, member) > tuple_(_AFTER.c.thing, _AFTER.c.member),
        )
        .order_by(thing, member)
        .limit(MOST)
        .lateral("some")
    )
    return (
        select(_AFTER.c.brand_id, some.c.thing, some.c.member, some.c.is_listed)
        .join_from(_AFTER.table, some, true())
        .order_by(_AFTER.c.brand_id, some.c.thing, some.c.member)
    )


_GRANTED = _after(GrantRow.brand_id, GrantRow.account_id, GrantRow.member, IS_GRANTED)
_ENABLED = _after(EnablementRow.brand_id, EnablementRow.extension, EnablementRow.member, IS_ENABLED)
_BRANDS = Rows(BrandRow.brand_id)
_END = update(BrandRow).where(BrandRow.brand_id == _BRANDS.c.brand_id).values(gathers_until=null())


async def find_gathered(connection: AsyncConnection, most: int) -> list[str]:
    """Return brands whose lists had their time, the longest ago first."""
    return list(await connection.scalars(_FIND, {"most": most}))


async def load_grants_after(
    connection: AsyncConnection, places: Mapping[str, Place], most: int
) -> list[Given]:
    """Return of each of these brands the next `most` grants behind a place, in their order."""
    return await _load(connection, _GRANTED, places, most)


async def load_enablements_after(
    connection: AsyncConnection, places: Mapping[str, Place], most: int
) -> list[Given]:
    """Return the next enablements likewise."""
    return await _load(connection, _ENABLED, places, most)


async def end_gathering(connection: AsyncConnection, brands: Iterable[str]) -> None:
    """Note that nothing is left that was given before to who was never on these lists."""
    await connection.execute(_END, _BRANDS.of((one,) for one in sorted(brands)))


async def _load(
    connection: AsyncConnection,
    statement: Select[str, str, str, bool],
    places: Mapping[str, Place],
    most: int,
) -> list[Given]:
    after = _AFTER.of((brand, *place) for brand, place in sorted(places.items()))
    return [
        Given(brand, (thing, member), is_listed)
        for brand, thing, member, is_listed in await connection.execute(
            statement, after | {"most": most}
        )
    ]
