"""Who has access to an account, and which accounts somebody may have access to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from keyturn_contracts.access import EVERYONE, Level
from sqlalchemy import ColumnElement, Row, and_, func, literal, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.queries.holders import Filter, in_order, is_behind, is_of, is_shown
from services.access.tables import (
    IS_ADMINISTRATOR,
    IS_GRANTED,
    AccountRow,
    GrantRow,
    MemberRow,
)

AnyRow = Row[*tuple[Any, ...]]

_OF_MEMBER = is_of(GrantRow.brand_id, GrantRow.member)
_GRANTED = and_(true(), IS_GRANTED)


async def load_table(
    connection: AsyncConnection,
    brand: str,
    account_id: str,
    wanted: Filter,
    *,
    level: Level | None,
    at: datetime,
    after: str,
    limit: int,
) -> Sequence[AnyRow]:
    """Return who has access to an account at this moment, everyone first, then by id."""
    query = (
        select(
            GrantRow.member,
            func.coalesce(MemberRow.name, "").label("name"),
            GrantRow.level,
            GrantRow.how,
            GrantRow.by,
            GrantRow.since,
            GrantRow.until,
        )
        .join(MemberRow, _OF_MEMBER, isouter=True)
        .where(_holds(brand, account_id, wanted, level, at), is_behind(GrantRow.member, after))
        .order_by(*in_order(GrantRow.member))
        .limit(limit)
    )
    return (await connection.execute(query)).all()


async def count_table(
    connection: AsyncConnection,
    brand: str,
    account_id: str,
    wanted: Filter,
    *,
    level: Level | None,
    at: datetime,
) -> int:
    """Return how many rows all pages have together."""
    query = (
        select(func.count())
        .select_from(GrantRow)
        .join(MemberRow, _OF_MEMBER, isouter=True)
        .where(_holds(brand, account_id, wanted, level, at))
    )
    return await connection.scalar(query) or 0


async def load_candidates(
    connection: AsyncConnection,
    brand: str,
    member: str,
    *,
    extension: str | None,
    after: str,
    limit: int,
) -> Sequence[AnyRow]:
    """Return accounts that somebody, or everyone, was given, by id; what decides is not asked."""
    given = (
        select(literal(1))
        .where(
            GrantRow.brand_id == brand,
            GrantRow.account_id == AccountRow.id,
            or_(GrantRow.member == member, GrantRow.member == EVERYONE),
            _GRANTED,
        )
        .exists()
    )
    query = (
        select(AccountRow.id, AccountRow.name, AccountRow.extension)
        .where(AccountRow.brand_id == brand, AccountRow.id > after, ~AccountRow.is_deleted, given)
        .order_by(AccountRow.id)
        .limit(limit)
    )
    if extension is not None:
        query = query.where(AccountRow.extension == extension)
    return (await connection.execute(query)).all()


async def count_to_own(
    connection: AsyncConnection, brand: str, member: str, *, extension: str | None
) -> int:
    """Return of how many accounts a job may be about to make somebody an owner.

    It makes one of who added the account, once, and administrators on the list of what nobody owns.
    """
    is_administrator = (
        select(literal(1))
        .where(MemberRow.brand_id == brand, MemberRow.id == member, IS_ADMINISTRATOR)
        .exists()
    )
    query = (
        select(func.count())
        .select_from(AccountRow)
        .where(
            AccountRow.brand_id == brand,
            AccountRow.is_to_own,
            ~AccountRow.is_deleted,
            or_(and_(~AccountRow.is_created, AccountRow.creator == member), is_administrator),
        )
    )
    if extension is not None:
        query = query.where(AccountRow.extension == extension)
    return await connection.scalar(query) or 0


def _holds(
    brand: str, account_id: str, wanted: Filter, level: Level | None, at: datetime
) -> ColumnElement[bool]:
    return and_(
        GrantRow.brand_id == brand,
        GrantRow.account_id == account_id,
        _GRANTED,
        or_(GrantRow.until.is_(None), GrantRow.until > at),
        true() if level is None else GrantRow.level == level,
        is_shown(brand, GrantRow.member, wanted),
    )
