"""Grants and enablements that are to end, as sets, under the locks of what they are about.

What has a limit has it for each brand, so that none waits behind the thousands of another. Whoever
changes a grant holds its account, and an enablement its installation. A job leaves what somebody
holds for later: who is just saving news of it may be waiting for the brand that it has.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    Select,
    bindparam,
    exists,
    func,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import QueryableAttribute

from services.access.rules.enablement import Enablement, EnablementKey
from services.access.rules.ending import Ending, brands_of
from services.access.rules.grant import Grant, GrantKey
from services.access.store.accounts import AccountKey, note_owners_lost
from services.access.store.enablements import (
    ENABLEMENT,
    BrandExtension,
    read_enablement,
    save_enablements,
)
from services.access.store.grants import GRANT, read_grant, save_grants
from services.access.store.people import Person
from services.access.tables import (
    IS_ENABLED,
    IS_GRANTED,
    RUNS_OUT,
    AccountRow,
    EnablementRow,
    GrantRow,
    InstallationRow,
    MemberRow,
)
from shared.database.rows import Rows

MOST = bindparam("most", type_=Integer)
"""How many rows are wanted at once."""


def in_turn(
    brand: QueryableAttribute[str], key: QueryableAttribute[Any]
) -> tuple[ColumnElement[int], QueryableAttribute[str]]:
    """Return what to order by: one row of each brand first, then their second ones."""
    return func.row_number().over(partition_by=brand, order_by=key), brand


_BRANDS = Rows(AccountRow.brand_id, name="brands")


def _of_each_brand(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Have a query that names `_BRANDS` give `MOST` rows of each.

    In no order: sorting would read all of them for each thousand.
    """
    some = query.limit(MOST).lateral("some")
    return select(*some.c).join_from(_BRANDS.table, some, true())


_NOW = select(func.clock_timestamp(type_=DateTime(timezone=True)))

ACCOUNTS = Rows(AccountRow.brand_id, AccountRow.id, name="accounts")
IS_OF_ACCOUNTS = (AccountRow.brand_id == ACCOUNTS.c.brand_id) & (AccountRow.id == ACCOUNTS.c.id)
_LOCK_ACCOUNTS = (
    select(AccountRow.brand_id, AccountRow.id)
    .where(IS_OF_ACCOUNTS)
    .order_by(AccountRow.brand_id, AccountRow.id)
    .with_for_update(key_share=True, skip_locked=True, of=AccountRow)
)
_EXTENSIONS = Rows(EnablementRow.brand_id, EnablementRow.extension, name="extensions")
_LOCK_INSTALLATIONS = (
    select(InstallationRow.brand_id, InstallationRow.extension)
    .where(
        InstallationRow.brand_id == _EXTENSIONS.c.brand_id,
        InstallationRow.extension == _EXTENSIONS.c.extension,
    )
    .order_by(InstallationRow.brand_id, InstallationRow.extension)
    .with_for_update(key_share=True, skip_locked=True, of=InstallationRow)
)

# Joins, and not conditions: SQLAlchemy sees no others where it warns of tables without one.
_GRANTED = (
    select(*GRANT)
    .join_from(
        ACCOUNTS.table,
        GrantRow,
        (GrantRow.brand_id == ACCOUNTS.c.brand_id) & (GrantRow.account_id == ACCOUNTS.c.id),
    )
    .where(ACCOUNTS.c.brand_id == _BRANDS.c.brand_id, IS_GRANTED)
)
_ENABLED = (
    select(*ENABLEMENT)
    .join_from(
        _EXTENSIONS.table,
        EnablementRow,
        (EnablementRow.brand_id == _EXTENSIONS.c.brand_id)
        & (EnablementRow.extension == _EXTENSIONS.c.extension),
    )
    .where(_EXTENSIONS.c.brand_id == _BRANDS.c.brand_id, IS_ENABLED)
)
_LOAD_GRANTED = _of_each_brand(_GRANTED)
_LOAD_ENABLED = _of_each_brand(_ENABLED)

_HAS_RUN_OUT = GrantRow.until <= func.now()
_FIND_EXPIRED = (
    select(GrantRow.brand_id, GrantRow.account_id)
    .where(RUNS_OUT, _HAS_RUN_OUT)
    .order_by(*in_turn(GrantRow.brand_id, GrantRow.until))
    .limit(MOST)
)
_LOAD_EXPIRED = _of_each_brand(_GRANTED.where(RUNS_OUT, _HAS_RUN_OUT))

_MEMBERS = Rows(MemberRow.brand_id, MemberRow.id, name="members")
_GRANTED_TO = (GrantRow.brand_id == _MEMBERS.c.brand_id) & (GrantRow.member == _MEMBERS.c.id)
_ENABLED_FOR = (EnablementRow.brand_id == _MEMBERS.c.brand_id) & (
    EnablementRow.member == _MEMBERS.c.id
)
_FIND_REMOVED = (
    select(MemberRow.brand_id, MemberRow.id)
    .where(MemberRow.is_to_end)
    .order_by(*in_turn(MemberRow.brand_id, MemberRow.id))
    .limit(MOST)
)
_IS_OF_MEMBERS_BRAND = _MEMBERS.c.brand_id == _BRANDS.c.brand_id
_FIND_ACCOUNTS_OF = _of_each_brand(
    select(GrantRow.brand_id, GrantRow.account_id)
    .join_from(_MEMBERS.table, GrantRow, _GRANTED_TO)
    .where(_IS_OF_MEMBERS_BRAND, IS_GRANTED)
)
_FIND_EXTENSIONS_OF = _of_each_brand(
    select(EnablementRow.brand_id, EnablementRow.extension)
    .join_from(_MEMBERS.table, EnablementRow, _ENABLED_FOR)
    .where(_IS_OF_MEMBERS_BRAND, IS_ENABLED)
)
_LOAD_ALL_GRANTED_TO = _of_each_brand(
    select(*GRANT)
    .join_from(_MEMBERS.table, GrantRow, _GRANTED_TO)
    .where(_IS_OF_MEMBERS_BRAND, IS_GRANTED)
)
_LOAD_ALL_ENABLED_FOR = _of_each_brand(
    select(*ENABLEMENT)
    .join_from(_MEMBERS.table, EnablementRow, _ENABLED_FOR)
    .where(_IS_OF_MEMBERS_BRAND, IS_ENABLED)
)
_LOAD_GRANTED_TO = _of_each_brand(_GRANTED.join(_MEMBERS.table, _GRANTED_TO))
_LOAD_ENABLED_FOR = _of_each_brand(_ENABLED.join(_MEMBERS.table, _ENABLED_FOR))
_END_REMOVAL = (
    update(MemberRow)
    .where(
        MemberRow.brand_id == _MEMBERS.c.brand_id,
        MemberRow.id == _MEMBERS.c.id,
        MemberRow.is_to_end,
        ~exists().where(
            GrantRow.brand_id == MemberRow.brand_id, GrantRow.member == MemberRow.id, IS_GRANTED
        ),
        ~exists().where(
            EnablementRow.brand_id == MemberRow.brand_id,
            EnablementRow.member == MemberRow.id,
            IS_ENABLED,
        ),
    )
    .values(is_to_end=False)
)

_FIND_DELETED = (
    select(AccountRow.brand_id, AccountRow.id)
    .where(
        AccountRow.is_to_end,
        # Of what is being uninstalled the clearing ends everything, and counts it.
        ~exists().where(
            InstallationRow.brand_id == AccountRow.brand_id,
            InstallationRow.extension == AccountRow.extension,
            InstallationRow.is_to_end,
        ),
    )
    .order_by(*in_turn(AccountRow.brand_id, AccountRow.id))
    .limit(MOST)
)
_END_DELETION = (
    update(AccountRow)
    .where(
        IS_OF_ACCOUNTS,
        AccountRow.is_to_end,
        ~exists().where(
            GrantRow.brand_id == AccountRow.brand_id,
            GrantRow.account_id == AccountRow.id,
            IS_GRANTED,
        ),
    )
    .values(is_to_end=False)
)


async def load_now(connection: AsyncConnection) -> datetime:
    """Return the database's time: one clock, whichever process this is."""
    return (await connection.scalars(_NOW)).one()


async def find_expired(connection: AsyncConnection, most: int) -> set[AccountKey]:
    """Return accounts with grants that have run out: one of each brand first, its oldest."""
    return await _pairs(connection, _FIND_EXPIRED, {"most": most})


async def find_deleted(connection: AsyncConnection, most: int) -> set[AccountKey]:
    """Return accounts whose grants are to end because they were deleted."""
    return await _pairs(connection, _FIND_DELETED, {"most": most})


async def find_removed(connection: AsyncConnection, most: int) -> set[Person]:
    """Return members whose access is to end because they were removed."""
    return await _pairs(connection, _FIND_REMOVED, {"most": most})


async def find_accounts_of(
    connection: AsyncConnection, members: Iterable[Person], most: int
) -> set[AccountKey]:
    """Return accounts that any of these members has a grant on, `most` of each brand."""
    return await _pairs(connection, _FIND_ACCOUNTS_OF, _given(members=members, most=most))


async def find_extensions_of(
    connection: AsyncConnection, members: Iterable[Person], most: int
) -> set[BrandExtension]:
    """Return extensions that are enabled for any of these members, `most` of each brand."""
    return await _pairs(connection, _FIND_EXTENSIONS_OF, _given(members=members, most=most))


async def lock_free_accounts(
    connection: AsyncConnection, accounts: Iterable[AccountKey]
) -> set[AccountKey]:
    """Return those that nobody else holds, held; the others are for later."""
    return await _pairs(connection, _LOCK_ACCOUNTS, _given(accounts))


async def lock_free_installations(
    connection: AsyncConnection, extensions: Iterable[BrandExtension]
) -> set[BrandExtension]:
    """Return those that nobody else holds, held; the others are for later."""
    return await _pairs(connection, _LOCK_INSTALLATIONS, _given(extensions=extensions))


async def load_granted(
    connection: AsyncConnection, accounts: Iterable[AccountKey], most: int
) -> dict[GrantKey, Grant]:
    """Return grants on these accounts that are not ended, `most` of each brand."""
    return await _grants(connection, _LOAD_GRANTED, _given(accounts, most=most))


async def load_expired(
    connection: AsyncConnection, accounts: Iterable[AccountKey], most: int
) -> dict[GrantKey, Grant]:
    """Return those that have run out."""
    return await _grants(connection, _LOAD_EXPIRED, _given(accounts, most=most))


async def load_granted_to(
    connection: AsyncConnection,
    members: Iterable[Person],
    accounts: Iterable[AccountKey],
    most: int,
) -> dict[GrantKey, Grant]:
    """Return those of these members."""
    given = _given(accounts, members=members, most=most)
    return await _grants(connection, _LOAD_GRANTED_TO, given)


async def load_all_granted_to(
    connection: AsyncConnection, members: Iterable[Person], most: int
) -> dict[GrantKey, Grant]:
    """Return grants of these members on any account, `most` of each brand."""
    return await _grants(connection, _LOAD_ALL_GRANTED_TO, _given(members=members, most=most))


async def load_all_enabled_for(
    connection: AsyncConnection, members: Iterable[Person], most: int
) -> dict[EnablementKey, Enablement]:
    """Return enablements of any extension for these members, `most` of each brand."""
    given = _given(members=members, most=most)
    return await _enablements(connection, _LOAD_ALL_ENABLED_FOR, given)


async def load_enabled(
    connection: AsyncConnection, extensions: Iterable[BrandExtension], most: int
) -> dict[EnablementKey, Enablement]:
    """Return enablements of these extensions that are not ended, `most` of each brand."""
    return await _enablements(connection, _LOAD_ENABLED, _given(extensions=extensions, most=most))


async def load_enabled_for(
    connection: AsyncConnection,
    members: Iterable[Person],
    extensions: Iterable[BrandExtension],
    most: int,
) -> dict[EnablementKey, Enablement]:
    """Return those of these members."""
    given = _given(extensions=extensions, members=members, most=most)
    return await _enablements(connection, _LOAD_ENABLED_FOR, given)


async def save_ending(connection: AsyncConnection, ending: Ending) -> None:
    """Save what has ended, and note which accounts may have no owner now."""
    await save_grants(connection, ending.grants)
    if ending.enablements:
        await save_enablements(connection, ending.enablements)
    if ending.lost_an_owner:
        await note_owners_lost(connection, ending.lost_an_owner)


async def end_removals(connection: AsyncConnection, members: Iterable[Person]) -> int:
    """Note of whom nothing is left; return how many these are."""
    return (await connection.execute(_END_REMOVAL, _given(members=members))).rowcount


async def end_deletions(connection: AsyncConnection, accounts: Iterable[AccountKey]) -> int:
    """Note on which of these nothing is left; return how many these are."""
    return (await connection.execute(_END_DELETION, _given(accounts))).rowcount


def _given(
    accounts: Iterable[AccountKey] | None = None,
    *,
    extensions: Iterable[BrandExtension] | None = None,
    members: Iterable[Person] | None = None,
    most: int | None = None,
) -> dict[str, Any]:
    """Return the parameters of a statement that has these; `most` is of each of their brands."""
    given: dict[str, Any] = {}
    brands: set[str] = set()
    for rows, keys in ((ACCOUNTS, accounts), (_EXTENSIONS, extensions), (_MEMBERS, members)):
        if keys is not None:
            ordered = sorted(keys)
            brands.update(brands_of(ordered))
            given |= rows.of(ordered)
    if most is None:
        return given
    return given | _BRANDS.of((one,) for one in sorted(brands)) | {"most": most}


async def _pairs(
    connection: AsyncConnection, statement: Select[str, str], given: Mapping[str, Any]
) -> set[tuple[str, str]]:
    return {(brand, id_) for brand, id_ in await connection.execute(statement, given)}


async def _grants(
    connection: AsyncConnection, statement: Any, given: Mapping[str, Any]
) -> dict[GrantKey, Grant]:
    return dict(map(read_grant, await connection.execute(statement, given)))


async def _enablements(
    connection: AsyncConnection, statement: Any, given: Mapping[str, Any]
) -> dict[EnablementKey, Enablement]:
    return dict(map(read_enablement, await connection.execute(statement, given)))
