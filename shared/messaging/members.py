"""Who is on a brand's list of members, and what that leaves of the roles an issuer vouches for.

The access service announces the list; every service keeps what it needs of it. Without a list the
issuer alone says what a person is; with one the lesser of both holds.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from keyturn_contracts.access import MemberChanged
from keyturn_contracts.actor import BRAND_ROLES, Actor, Role
from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from shared.database.rows import Rows
from shared.messaging.envelope import News, newest_of_each_key
from shared.messaging.tables import ListedRow

Person = tuple[str, str]
"""A brand, and the subject that acts in it."""
Listed = Literal["administrator", "member", "absent"]
"""What a brand's list says of somebody. A brand without a list says nothing."""
LoadListed = Callable[[AsyncConnection, Collection[Person]], Awaitable[dict[Person, Listed]]]

_TAKEN: Mapping[Listed, frozenset[Role]] = {
    "absent": BRAND_ROLES,
    "member": frozenset({"administrator"}),
    "administrator": frozenset(),
}

_MEMBERS = Rows(
    ListedRow.brand_id, ListedRow.id, ListedRow.role, ListedRow.epoch, ListedRow.sequence
)
_SAVE = _MEMBERS.upsert_into(ListedRow, newest_by=[ListedRow.epoch, ListedRow.sequence])
_PEOPLE = Rows(ListedRow.brand_id, ListedRow.id)
_ANY = aliased(ListedRow)
_LOAD = (
    select(_PEOPLE.c.brand_id, _PEOPLE.c.id, ListedRow.role)
    .join_from(
        _PEOPLE.table,
        ListedRow,
        (ListedRow.brand_id == _PEOPLE.c.brand_id) & (ListedRow.id == _PEOPLE.c.id),
        isouter=True,
    )
    .where(exists().where(_ANY.brand_id == _PEOPLE.c.brand_id))
)


async def save_members(connection: AsyncConnection, news: Sequence[News[MemberChanged]]) -> None:
    """Remember who is on which list; who was removed stays, so that there is a list."""
    rows = (
        (
            one.brand,
            one.event.member_id,
            one.event.role if one.event.state == "registered" else None,
            one.epoch,
            one.sequence,
        )
        for one in newest_of_each_key(news)
    )
    await connection.execute(_SAVE, _MEMBERS.of(rows))


async def load_listed(
    connection: AsyncConnection, people: Collection[Person]
) -> dict[Person, Listed]:
    """Return what the brands' lists say of these; who is of a brand without a list is left out."""
    rows = await connection.execute(_LOAD, _PEOPLE.of(sorted(people)))
    return {(brand, id_): role or "absent" for brand, id_, role in rows}


def people_of(actors: Iterable[Actor]) -> set[Person]:
    """Return those for whom a list may make a difference: no engines, and no mere operators."""
    return {(one.brand, one.subject) for one in actors if one.roles & BRAND_ROLES}


def narrowed(actor: Actor, listed: Mapping[Person, Listed]) -> Actor:
    """Return who asks with the roles that the brand's list leaves them.

    An administrator is a member too: who is vouched for as one and listed as the other is a member.
    """
    said = listed.get((actor.brand, actor.subject))
    if said is None or not actor.roles & _TAKEN[said]:
        return actor
    left = actor.roles - _TAKEN[said]
    return replace(actor, roles=left if said == "absent" else left | {"member"})


def is_unlisted(actor: Actor, listed: Mapping[Person, Listed]) -> bool:
    """Tell whether somebody is missing from their brand's list: their news may be on its way."""
    return listed.get((actor.brand, actor.subject)) == "absent"
