"""Loads and locks brands with what commands need of their lists, and saves what changed."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace

from keyturn_contracts.access import RegisterMembers, RemoveMembers
from keyturn_contracts.message import Key
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.rules.enablement import Enablement, EnablementKey
from services.access.rules.grant import Grant, GrantKey
from services.access.rules.members import Member
from services.access.rules.policy import PolicyDesk
from services.access.rules.registering import MembersDesk
from services.access.store.accounts import note_owners_lost
from services.access.store.audit import save_records
from services.access.store.brands import begin_lists, lock_brands, save_policies
from services.access.store.enablements import save_enablements
from services.access.store.ending import load_all_enabled_for, load_all_granted_to
from services.access.store.grants import save_grants
from services.access.store.people import load_people
from services.access.tables import (
    IS_ADMINISTRATOR,
    MemberRow,
)
from shared.database.rows import Rows
from shared.messaging.envelope import AskedByKey
from shared.messaging.members import Person

ENDED_AT_ONCE = 5_000
"""How many grants, and how many enablements, of a brand are ended in the transaction of its
registrations."""

_STATE = (
    MemberRow.brand_id,
    MemberRow.id,
    MemberRow.name,
    MemberRow.role,
    MemberRow.state,
    MemberRow.is_to_end,
)
_PEOPLE = Rows(MemberRow.brand_id, MemberRow.id)
_LOCK_NAMED = (
    select(*_STATE)
    .where(MemberRow.brand_id == _PEOPLE.c.brand_id, MemberRow.id == _PEOPLE.c.id)
    .order_by(MemberRow.brand_id, MemberRow.id)
    .with_for_update(key_share=True, of=MemberRow)
)
_BRANDS = Rows(MemberRow.brand_id)
_LOAD_ADMINISTRATORS = select(*_STATE).where(
    MemberRow.brand_id == _BRANDS.c.brand_id, IS_ADMINISTRATOR
)
_MEMBERS = Rows(*_STATE)
_SAVE = _MEMBERS.upsert_into(MemberRow)


async def lock_members(connection: AsyncConnection, asked: AskedByKey) -> dict[Key, MembersDesk]:
    """Return a desk for each key, with its brand held alone: nobody's rights change meanwhile."""
    brands = await lock_brands(connection, {key.brand for key in asked})
    registered = _named(asked, RegisterMembers)
    removed = _named(asked, RemoveMembers)
    members = await _load(connection, brands, registered | removed)
    coming_back = registered & removed
    for brand, id_ in registered:
        member = members[brand].get(id_)
        if member is not None and member.is_to_end:
            coming_back.add((brand, id_))
    theirs, enabled = await _load_theirs(connection, coming_back)
    granted, used = Counter(key[0] for key in theirs), Counter(key[0] for key in enabled)
    desks: dict[Key, MembersDesk] = {}
    for key in asked:
        desk = MembersDesk(
            has_list=brands[key.brand].has_list,
            members=members[key.brand],
            grants={key_[1:]: one for key_, one in theirs.items() if key_[0] == key.brand},
            enablements={key_[1:]: one for key_, one in enabled.items() if key_[0] == key.brand},
            has_more=max(granted[key.brand], used[key.brand]) > ENDED_AT_ONCE,
        )
        desks[key] = replace(desk, loaded=desk)
    return desks


async def save_members(connection: AsyncConnection, changed: Mapping[Key, MembersDesk]) -> None:
    """Save what differs from what was locked, have jobs follow it, and put it on record."""
    differing = {
        key.brand: (desk, desk.loaded or MembersDesk()) for key, desk in sorted(changed.items())
    }
    rows = (
        (brand, id_, one.name, one.role, one.state, one.is_to_end)
        for brand, (desk, loaded) in differing.items()
        for id_, one in sorted(desk.members.items())
        if loaded.members.get(id_) != one
    )
    await connection.execute(_SAVE, _MEMBERS.of(rows))
    begun = [
        brand
        for brand, (desk, loaded) in differing.items()
        if desk.has_list and not loaded.has_list
    ]
    if begun:
        await begin_lists(connection, begun)
    await _save_ended(connection, differing)
    await save_records(
        connection, ((key.brand, one) for key, desk in changed.items() for one in desk.records)
    )


async def lock_policies(connection: AsyncConnection, asked: AskedByKey) -> dict[Key, PolicyDesk]:
    """Return a desk for each key, with its brand held alone."""
    brands = await lock_brands(connection, {key.brand for key in asked})
    actors = {(key.brand, one.actor.subject) for key, some in asked.items() for one in some}
    lists = await load_people(connection, brands, actors)
    return {
        key: PolicyDesk(on_loss=brands[key.brand].on_loss, people=lists[key.brand]) for key in asked
    }


async def save_policies_of(connection: AsyncConnection, changed: Mapping[Key, PolicyDesk]) -> None:
    await save_policies(connection, {key.brand: desk.on_loss for key, desk in changed.items()})
    await save_records(
        connection, ((key.brand, one) for key, desk in changed.items() for one in desk.records)
    )


async def _load(
    connection: AsyncConnection, brands: Collection[str], named: Collection[Person]
) -> dict[str, dict[str, Member]]:
    """Return of each brand who is named, and every administrator."""
    members: dict[str, dict[str, Member]] = {brand: {} for brand in brands}
    for statement, parameters in (
        (_LOCK_NAMED, _PEOPLE.of(sorted(named))),
        (_LOAD_ADMINISTRATORS, _BRANDS.of((one,) for one in sorted(brands))),
    ):
        for brand, id_, name, role, state, is_to_end in await connection.execute(
            statement, parameters
        ):
            members[brand][id_] = Member(name=name, role=role, state=state, is_to_end=is_to_end)
    return members


async def _load_theirs(
    connection: AsyncConnection, people: Collection[Person]
) -> tuple[dict[GrantKey, Grant], dict[EnablementKey, Enablement]]:
    """Return what these have: of each brand as much as is ended at once, or one more."""
    if not people:
        return {}, {}
    grants = await load_all_granted_to(connection, people, ENDED_AT_ONCE + 1)
    return grants, await load_all_enabled_for(connection, people, ENDED_AT_ONCE + 1)


async def _save_ended(
    connection: AsyncConnection, differing: Mapping[str, tuple[MembersDesk, MembersDesk]]
) -> None:
    """Save what was ended because somebody came back who had been removed."""
    ended = {
        (brand, *key): one
        for brand, (desk, loaded) in differing.items()
        for key, one in desk.grants.items()
        if loaded.grants.get(key) != one
    }
    if ended:
        await save_grants(connection, ended)
        await note_owners_lost(
            connection, {key[:2] for key, one in ended.items() if one.level == "owner"}
        )
    disabled = {
        (brand, *key): one
        for brand, (desk, loaded) in differing.items()
        for key, one in desk.enablements.items()
        if loaded.enablements.get(key) != one
    }
    if disabled:
        await save_enablements(connection, disabled)


def _named(asked: AskedByKey, kind: type[RegisterMembers] | type[RemoveMembers]) -> set[Person]:
    return {
        (key.brand, one if isinstance(one, str) else one.member_id)
        for key, some in asked.items()
        for each in some
        if isinstance(each.command, kind)
        for one in each.command.members
    }
