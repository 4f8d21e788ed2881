"""For whom an extension is enabled."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.queries.holders import Filter, in_order, is_behind, is_of, is_shown
from services.access.tables import IS_ENABLED, EnablementRow, InstallationRow, MemberRow

AnyRow = Row[*tuple[Any, ...]]

_OF_MEMBER = is_of(EnablementRow.brand_id, EnablementRow.member)


async def load_installation(connection: AsyncConnection, brand: str, slug: str) -> AnyRow | None:
    """Return an extension's party and state; None where nothing was ever said of it."""
    query = select(InstallationRow.party, InstallationRow.state).where(
        InstallationRow.brand_id == brand, InstallationRow.extension == slug
    )
    return (await connection.execute(query)).one_or_none()


async def load_page(
    connection: AsyncConnection, brand: str, slug: str, wanted: Filter, *, after: str, limit: int
) -> Sequence[AnyRow]:
    """Return whom the extension is enabled for, everyone first, then by id."""
    query = (
        select(
            EnablementRow.member,
            func.coalesce(MemberRow.name, "").label("name"),
            EnablementRow.by,
            EnablementRow.since,
        )
        .join(MemberRow, _OF_MEMBER, isouter=True)
        .where(_is_enabled(brand, slug, wanted), is_behind(EnablementRow.member, after))
        .order_by(*in_order(EnablementRow.member))
        .limit(limit)
    )
    return (await connection.execute(query)).all()


async def count(connection: AsyncConnection, brand: str, slug: str, wanted: Filter) -> int:
    """Return how many rows all pages have together."""
    query = (
        select(func.count())
        .select_from(EnablementRow)
        .join(MemberRow, _OF_MEMBER, isouter=True)
        .where(_is_enabled(brand, slug, wanted))
    )
    return await connection.scalar(query) or 0


def _is_enabled(brand: str, slug: str, wanted: Filter) -> ColumnElement[bool]:
    return and_(
        EnablementRow.brand_id == brand,
        EnablementRow.extension == slug,
        and_(true(), IS_ENABLED),
        is_shown(brand, EnablementRow.member, wanted),
    )
