"""Whom an extension is enabled for."""

from datetime import datetime

from fastapi import APIRouter
from keyturn_contracts.access import EVERYONE
from keyturn_contracts.catalog import Party
from keyturn_contracts.ids import Slug
from keyturn_contracts.installation import InstallationState
from pydantic import BaseModel

from services.access.api.listing import Search
from services.access.api.seeing import sees_everybody
from services.access.queries import enablements as queries
from services.access.queries.holders import Filter
from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection
from shared.http.errors import ApiError
from shared.http.paging import After, Limit, read_after, write_cursor

router = APIRouter(prefix="/v1/extensions")


class EnablementBody(BaseModel):
    """One member who may use the extension, or everyone."""

    member: str
    """Of everyone `*`."""
    name: str
    """As it stands on the list; empty where none does."""
    by: str
    since: datetime


class EnablementsBody(BaseModel):
    """One page, and how many rows all pages have; everyone is the first row.

    `next` is what to ask `after` for the page behind it; absent on the last.
    """

    extension: str
    party: Party
    state: InstallationState
    """Of the installation: unless it is `installed`, nobody may use the extension."""
    note: str | None = None
    items: list[EnablementBody]
    next: str | None = None
    total: int


@router.get("/{slug}/enablements", response_model_exclude_none=True)
async def list_enablements(
    slug: Slug,
    caller: Caller,
    context: HasContext,
    *,
    search: Search = None,
    after: After = None,
    limit: Limit = 50,
) -> EnablementsBody:
    """List whom it is enabled for: for administrators all, for others what they have."""
    [place] = read_after(after, 1)
    wanted = Filter(
        search=search, only=None if sees_everybody(caller) else (EVERYONE, caller.subject)
    )
    async with brand_connection(context, caller) as connection:
        installation = await queries.load_installation(connection, caller.brand, slug)
        if installation is None:
            raise ApiError("not_found", f"{slug} is not installed in your brand.")
        total = await queries.count(connection, caller.brand, slug, wanted)
        rows = await queries.load_page(
            connection, caller.brand, slug, wanted, after=place, limit=limit + 1
        )
    items = [EnablementBody.model_validate(row, from_attributes=True) for row in rows[:limit]]
    is_first_party = installation.party == "first"
    return EnablementsBody(
        extension=slug,
        party=installation.party,
        state=installation.state,
        note="It comes with the licence, for every member." if is_first_party else None,
        items=items,
        next=write_cursor(items[-1].member) if len(rows) > limit else None,
        total=total,
    )
