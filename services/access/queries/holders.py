"""Rows about a member or everyone: which are shown, and in which order."""

from collections.abc import Collection
from dataclasses import dataclass

from keyturn_contracts.access import EVERYONE
from sqlalchemy import ColumnElement, and_, case, literal, or_, select, true, tuple_
from sqlalchemy.orm import QueryableAttribute

from services.access.tables import BrandRow, MemberRow

Column = QueryableAttribute[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which rows; what is None does not matter."""

    search: str | None = None
    """What a member's id or name begins with, whatever its case."""
    only: Collection[str] | None = None
    """Of these, members or everyone, alone."""


def is_called(member: Column, search: str) -> ColumnElement[bool]:
    """Tell whether a member's id, or the name on the list, begins with a text."""
    return or_(
        member.istartswith(search, autoescape=True),
        MemberRow.name.istartswith(search, autoescape=True),
    )


def is_of(brand: Column, member: Column) -> ColumnElement[bool]:
    """Join to a row what the list says of its member."""
    return and_(MemberRow.brand_id == brand, MemberRow.id == member)


def is_shown(brand: str, member: Column, wanted: Filter) -> ColumnElement[bool]:
    """Tell whether a row is wanted, and of everyone or of somebody who is a member."""
    has_list = select(literal(1)).where(BrandRow.brand_id == brand, BrandRow.has_list).exists()
    # Whoever was removed has nothing from that moment, though what they had is ended behind it.
    conditions = [or_(member == EVERYONE, MemberRow.state == "registered", ~has_list)]
    if wanted.search is not None:
        conditions += [member != EVERYONE, is_called(member, wanted.search)]
    if wanted.only is not None:
        conditions.append(member.in_(wanted.only))
    return and_(*conditions)


def in_order(member: Column) -> tuple[ColumnElement[int], Column]:
    """Return what to order by: everyone comes first, then members by id."""
    return case((member == EVERYONE, 0), else_=1), member


def is_behind(member: Column, after: str) -> ColumnElement[bool]:
    """Tell whether a row comes behind that of `after`; behind an empty text all do."""
    if not after:
        return true()
    rank = 0 if after == EVERYONE else 1
    return tuple_(*in_order(member)) > tuple_(literal(rank), literal(after))
