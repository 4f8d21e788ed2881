"""A brand's list of members, and what the brand has chosen."""

from typing import Annotated

from fastapi import APIRouter, Query
from keyturn_contracts.access import MemberId, MemberRole, MemberState, OnLoss
from pydantic import BaseModel

from services.access.api.listing import Search
from services.access.api.seeing import check_administers, check_sees
from services.access.queries import members as queries
from services.access.queries.members import Filter
from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection
from shared.http.errors import ApiError
from shared.http.paging import After, Limit, read_after, write_cursor

router = APIRouter(prefix="/v1")


class MemberBody(BaseModel):
    member_id: str
    name: str
    role: MemberRole
    state: MemberState


class MembersBody(BaseModel):
    """One page, and how many members all pages have.

    `next` is what to ask `after` for the page behind it; absent on the last.
    """

    items: list[MemberBody]
    next: str | None = None
    total: int
    has_list: bool
    """Whether somebody was ever registered; before that, whom an issuer vouches for counts."""


class PolicyBody(BaseModel):
    on_loss: OnLoss
    """What becomes of a task whose workflow's owner loses the account."""


@router.get("/members", response_model_exclude_none=True)
async def list_members(
    caller: Caller,
    context: HasContext,
    *,
    search: Search = None,
    role: Annotated[MemberRole | None, Query()] = None,
    state: Annotated[MemberState, Query()] = "registered",
    after: After = None,
    limit: Limit = 50,
) -> MembersBody:
    """List members, in the order of their ids; `state=removed` lists who left."""
    check_administers(caller)
    [place] = read_after(after, 1)
    wanted = Filter(search=search, role=role, state=state)
    async with brand_connection(context, caller) as connection:
        brand = await queries.load_brand(connection, caller.brand)
        total = await queries.count(connection, caller.brand, wanted)
        rows = await queries.load_page(
            connection, caller.brand, wanted, after=place, limit=limit + 1
        )
    items = [_member(row) for row in rows[:limit]]
    return MembersBody(
        items=items,
        next=write_cursor(items[-1].member_id) if len(rows) > limit else None,
        total=total,
        has_list=brand is not None and brand.has_list,
    )


@router.get("/members/{member_id}", response_model_exclude_none=True)
async def show_member(member_id: MemberId, caller: Caller, context: HasContext) -> MemberBody:
    """Show what the list says of somebody, also of who was removed from it."""
    check_sees(caller, member_id)
    async with brand_connection(context, caller) as connection:
        row = await queries.load_one(connection, caller.brand, member_id)
    if row is None:
        raise ApiError("not_found", f"{member_id} was never on your brand's list of members.")
    return _member(row)


@router.get("/policy")
async def show_policy(caller: Caller, context: HasContext) -> PolicyBody:
    async with brand_connection(context, caller) as connection:
        brand = await queries.load_brand(connection, caller.brand)
    return PolicyBody(on_loss="suspend" if brand is None else brand.on_loss)


def _member(row: queries.AnyRow) -> MemberBody:
    return MemberBody(member_id=row.id, name=row.name, role=row.role, state=row.state)
