"""Accounts that may have no owner, what decides who gets them, and the owners that they got."""

from collections.abc import Iterable, Mapping

from keyturn_contracts.rights import Facts
from keyturn_contracts.rights import Grant as GrantFact
from sqlalchemy import and_, exists, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.rules.grant import Grant, GrantKey
from services.access.rules.owning import Unowned
from services.access.store.accounts import AccountKey
from services.access.store.brands import Brand
from services.access.store.ending import ACCOUNTS, IS_OF_ACCOUNTS, MOST, in_turn
from services.access.store.grants import save_grants
from services.access.tables import (
    IS_ADMINISTRATOR,
    IS_GATHERING,
    IS_OWNED,
    AccountRow,
    BrandRow,
    GrantRow,
    InstallationRow,
    MemberRow,
)
from shared.database.rows import Rows

_HAS_AN_ADMINISTRATOR = exists().where(MemberRow.brand_id == AccountRow.brand_id, IS_ADMINISTRATOR)
_HAS_A_LIST = exists().where(BrandRow.brand_id == AccountRow.brand_id, BrandRow.has_list)
_IS_GOING = exists().where(
    InstallationRow.brand_id == AccountRow.brand_id,
    InstallationRow.extension == AccountRow.extension,
    or_(
        InstallationRow.is_to_end,
        InstallationRow.state == "uninstalling",
        InstallationRow.state == "uninstalled",
    ),
)
_IS_CREATORS_TURN = and_(
    ~AccountRow.is_created,
    or_(
        ~_HAS_A_LIST,
        exists().where(
            MemberRow.brand_id == AccountRow.brand_id,
            MemberRow.id == AccountRow.creator,
            MemberRow.state == "registered",
        ),
    ),
)
# One that is going away with its extension gets no owner any more. One that nobody can own waits
# for an administrator, who comes on the list without knowing of it.
_CAN_BE_DECIDED = or_(
    AccountRow.is_deleted, and_(~_IS_GOING, or_(_IS_CREATORS_TURN, _HAS_AN_ADMINISTRATOR))
)
_FIND = (
    select(AccountRow.brand_id, AccountRow.id)
    .where(AccountRow.is_to_own, _CAN_BE_DECIDED)
    .order_by(*in_turn(AccountRow.brand_id, AccountRow.id))
    .limit(MOST)
)
_LOCK = (
    select(
        AccountRow.brand_id,
        AccountRow.id,
        AccountRow.creator,
        AccountRow.is_created,
        AccountRow.is_deleted,
    )
    .where(IS_OF_ACCOUNTS, AccountRow.is_to_own, _CAN_BE_DECIDED)
    .order_by(AccountRow.brand_id, AccountRow.id)
    .with_for_update(key_share=True, skip_locked=True, of=AccountRow)
)
_LOAD_OWNERS = select(
    GrantRow.brand_id, GrantRow.account_id, GrantRow.member, GrantRow.level, GrantRow.until
).where(
    GrantRow.brand_id == ACCOUNTS.c.brand_id,
    GrantRow.account_id == ACCOUNTS.c.id,
    IS_OWNED,
)
_BRANDS = Rows(BrandRow.brand_id, name="brands")
_PEOPLE = Rows(MemberRow.brand_id, MemberRow.id, name="people")
_LOAD_MEMBERS = (
    select(MemberRow.brand_id, MemberRow.id, MemberRow.role)
    .where(MemberRow.brand_id == _BRANDS.c.brand_id, IS_ADMINISTRATOR)
    .union(
        select(MemberRow.brand_id, MemberRow.id, MemberRow.role).where(
            MemberRow.brand_id == _PEOPLE.c.brand_id,
            MemberRow.id == _PEOPLE.c.id,
            MemberRow.state == "registered",
        )
    )
)
_LOAD_AWAITED = select(_PEOPLE.c.brand_id, _PEOPLE.c.id).where(
    exists().where(BrandRow.brand_id == _PEOPLE.c.brand_id, IS_GATHERING),
    ~exists().where(MemberRow.brand_id == _PEOPLE.c.brand_id, MemberRow.id == _PEOPLE.c.id),
)
_OWNED = Rows(AccountRow.brand_id, AccountRow.id, AccountRow.is_to_own, name="owned")
_SAVE = (
    update(AccountRow)
    .where(AccountRow.brand_id == _OWNED.c.brand_id, AccountRow.id == _OWNED.c.id)
    .values(is_created=true(), is_to_own=_OWNED.c.is_to_own)
)


async def find_to_own(connection: AsyncConnection, most: int) -> list[AccountKey]:
    """Return accounts that may have no owner and can get one, or were deleted meanwhile.

    One of each brand first.
    """
    return [(brand, id_) for brand, id_ in await connection.execute(_FIND, {"most": most})]


async def lock_to_own(
    connection: AsyncConnection, accounts: Iterable[AccountKey]
) -> dict[AccountKey, Unowned]:
    """Return those of which that is still so and which nobody else holds."""
    rows = await connection.execute(_LOCK, ACCOUNTS.of(sorted(accounts)))
    return {
        (brand, id_): Unowned(
            account_id=id_, creator=creator, is_created=is_created, is_deleted=is_deleted
        )
        for brand, id_, creator, is_created, is_deleted in rows
    }


async def load_facts(
    connection: AsyncConnection,
    accounts: Mapping[AccountKey, Unowned],
    brands: Mapping[str, Brand],
) -> dict[str, Facts]:
    """Return of each brand what decides who owns these accounts, and no more."""
    facts = {id_: Facts(has_list=one.has_list) for id_, one in brands.items()}
    people = {(brand, one.creator) for (brand, _), one in accounts.items()}
    owners = await connection.execute(_LOAD_OWNERS, ACCOUNTS.of(accounts))
    for brand, account_id, member, level, until in owners:
        people.add((brand, member))
        facts[brand].grants.setdefault(account_id, {})[member] = GrantFact(level, until)
    given = _BRANDS.of((one,) for one in sorted(brands)) | _PEOPLE.of(sorted(people))
    for brand, id_, role in await connection.execute(_LOAD_MEMBERS, given):
        facts[brand].members[id_] = role
    return facts


async def load_awaited(
    connection: AsyncConnection,
    accounts: Mapping[AccountKey, Unowned],
    facts: Mapping[str, Facts],
) -> dict[str, set[str]]:
    """Return of each brand with a new list who of the creators and owners was never on it."""
    people = {
        (brand, one)
        for (brand, account_id), account in accounts.items()
        for one in (account.creator, *facts[brand].grants.get(account_id, ()))
    }
    awaited: dict[str, set[str]] = {brand: set() for brand in facts}
    for brand, id_ in await connection.execute(_LOAD_AWAITED, _PEOPLE.of(sorted(people))):
        awaited[brand].add(id_)
    return awaited


async def save_owners(
    connection: AsyncConnection,
    grants: Mapping[GrantKey, Grant],
    waiting: Mapping[AccountKey, bool],
) -> None:
    """Save new owners, and of each account whether it still waits; its creator had their turn."""
    if grants:
        await save_grants(connection, grants)
    rows = ((*key, is_to_own) for key, is_to_own in sorted(waiting.items()))
    await connection.execute(_SAVE, _OWNED.of(rows))
