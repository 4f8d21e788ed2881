"""A brand's list of members as people read it, and what the brand has chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keyturn_contracts.access import MemberRole, MemberState
from sqlalchemy import ColumnElement, Row, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.queries.holders import is_called
from services.access.tables import BrandRow, MemberRow

AnyRow = Row[*tuple[Any, ...]]

_MEMBER = (MemberRow.id, MemberRow.name, MemberRow.role, MemberRow.state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which members; what is None does not matter."""

    search: str | None = None
    """What their id or name begins with, whatever its case."""
    role: MemberRole | None = None
    state: MemberState


async def load_page(
    connection: AsyncConnection, brand: str, wanted: Filter, *, after: str, limit: int
) -> Sequence[AnyRow]:
    """Return members in the order of their ids, from behind `after`."""
    query = select(*_MEMBER).where(_is_shown(brand, wanted), MemberRow.id > after)
    return (await connection.execute(query.order_by(MemberRow.id).limit(limit))).all()


async def count(connection: AsyncConnection, brand: str, wanted: Filter) -> int:
    """Return how many all pages have together."""
    query = select(func.count()).select_from(MemberRow).where(_is_shown(brand, wanted))
    return await connection.scalar(query) or 0


async def load_one(connection: AsyncConnection, brand: str, member_id: str) -> AnyRow | None:
    query = select(*_MEMBER).where(MemberRow.brand_id == brand, MemberRow.id == member_id)
    return (await connection.execute(query)).one_or_none()


async def load_brand(connection: AsyncConnection, brand: str) -> AnyRow | None:
    """Return whether the brand has a list, and what it chose; None where nothing was said."""
    query = select(BrandRow.has_list, BrandRow.on_loss).where(BrandRow.brand_id == brand)
    return (await connection.execute(query)).one_or_none()


def _is_shown(brand: str, wanted: Filter) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [
        MemberRow.brand_id == brand,
        MemberRow.state == wanted.state,
    ]
    if wanted.search is not None:
        conditions.append(is_called(MemberRow.id, wanted.search))
    if wanted.role is not None:
        conditions.append(MemberRow.role == wanted.role)
    return and_(*conditions)
