"""Reads what brands' lists say of those whom commands are about, or who send them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from keyturn_contracts.access import MemberRole
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.rules.members import MemberList
from services.access.store.brands import Brand
from services.access.tables import BrandRow, MemberRow
from shared.database.rows import Rows
from shared.messaging.members import Listed, Person

_PEOPLE = Rows(MemberRow.brand_id, MemberRow.id)
_LOAD = select(MemberRow.brand_id, MemberRow.id, MemberRow.role).where(
    MemberRow.brand_id == _PEOPLE.c.brand_id,
    MemberRow.id == _PEOPLE.c.id,
    MemberRow.state == "registered",
)
_LOAD_LISTED = (
    select(_PEOPLE.c.brand_id, _PEOPLE.c.id, MemberRow.role)
    .join_from(_PEOPLE.table, BrandRow, BrandRow.brand_id == _PEOPLE.c.brand_id)
    .join(
        MemberRow,
        (MemberRow.brand_id == _PEOPLE.c.brand_id)
        & (MemberRow.id == _PEOPLE.c.id)
        & (MemberRow.state == "registered"),
        isouter=True,
    )
    .where(BrandRow.has_list)
)


async def load_people(
    connection: AsyncConnection, brands: Mapping[str, Brand], people: Iterable[Person]
) -> dict[str, MemberList]:
    """Return of each brand's list as much as says something of these."""
    roles: defaultdict[str, dict[str, MemberRole]] = defaultdict(dict)
    for brand, id_, role in await connection.execute(_LOAD, _PEOPLE.of(sorted(set(people)))):
        roles[brand][id_] = role
    return {
        brand: MemberList(has_list=one.has_list, roles=roles.get(brand, {}))
        for brand, one in brands.items()
    }


async def load_listed(
    connection: AsyncConnection, people: Collection[Person]
) -> dict[Person, Listed]:
    """Return what the lists say of these, at first hand; who is of a brand without is left out."""
    rows = await connection.execute(_LOAD_LISTED, _PEOPLE.of(sorted(people)))
    return {(brand, id_): role or "absent" for brand, id_, role in rows}
