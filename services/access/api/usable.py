"""The accounts that somebody may use or owns: all of them, or it is said that some are missing."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from keyturn_contracts.access import Level, MemberId
from keyturn_contracts.ids import Slug
from keyturn_contracts.reasons import explain
from keyturn_contracts.rights import Code, Facts, Way, decide
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.api.seeing import check_sees
from services.access.queries import grants as queries
from services.access.queries.facts import Wanted, load_facts
from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection
from shared.http.paging import After, read_after, write_cursor

router = APIRouter(prefix="/v1")

_Most = Annotated[int, Query(ge=1, le=5000, description="How many accounts are looked at.")]
WhyIncomplete = Literal["one_page_of_several", "owners_to_come"]


class MembersAccountBody(BaseModel):
    """An account that they may use, or own; an owner need not be allowed to use it."""

    account_id: str
    name: str
    extension: str
    level: Level
    usable: bool
    way: Way | None = None
    """Of what they may use: what lets them."""
    code: Code
    message: str | None = None
    """Why it cannot be used."""


class MembersAccountsBody(BaseModel):
    """`complete`: this is all that there is. A page may be short; `next` says if it is the last."""

    items: list[MembersAccountBody]
    complete: bool
    incomplete_because: list[WhyIncomplete] | None = None
    """`owners_to_come`: of some account they may be made an owner in a moment."""
    next: str | None = None


@router.get("/members/{member_id}/accounts", response_model_exclude_none=True)
async def list_members_accounts(
    member_id: MemberId,
    caller: Caller,
    context: HasContext,
    *,
    after: After = None,
    limit: _Most = 1000,
) -> MembersAccountsBody:
    """List the accounts that a member may use or owns, in the order of their ids."""
    check_sees(caller, member_id)
    [place] = read_after(after, 1)
    async with brand_connection(context, caller) as connection:
        return await _load(connection, caller.brand, member_id, after=place, limit=limit)


@router.get("/accounts/usable", response_model_exclude_none=True)
async def list_usable(
    caller: Caller,
    context: HasContext,
    *,
    member: Annotated[MemberId | None, Query(description="Another one than who asks.")] = None,
    extension: Annotated[Slug | None, Query()] = None,
    after: After = None,
    limit: _Most = 1000,
) -> MembersAccountsBody:
    """List the accounts that somebody may use in a workflow now, in the order of their ids."""
    who = member or caller.subject
    check_sees(caller, who)
    [place] = read_after(after, 1)
    async with brand_connection(context, caller) as connection:
        found = await _load(
            connection, caller.brand, who, extension=extension, after=place, limit=limit
        )
    return found.model_copy(update={"items": [one for one in found.items if one.usable]})


async def _load(
    connection: AsyncConnection,
    brand: str,
    member: str,
    *,
    extension: str | None = None,
    after: str,
    limit: int,
) -> MembersAccountsBody:
    # First: an owner who is made meanwhile is then missing from no list that says it is complete.
    to_own = await queries.count_to_own(connection, brand, member, extension=extension)
    rows = await queries.load_candidates(
        connection, brand, member, extension=extension, after=after, limit=limit + 1
    )
    wanted = Wanted(accounts={(row.id, member) for row in rows[:limit]})
    facts = (await load_facts(connection, brand, wanted)).facts
    at = datetime.now(UTC)
    judged = (_judge(facts, member, row.id, row.name, at) for row in rows[:limit])
    is_last = len(rows) <= limit
    why: list[WhyIncomplete] = []
    if after or not is_last:
        why.append("one_page_of_several")
    if to_own:
        why.append("owners_to_come")
    return MembersAccountsBody(
        items=[one for one in judged if one is not None],
        complete=not why,
        incomplete_because=why or None,
        next=None if is_last else write_cursor(rows[limit - 1].id),
    )


def _judge(
    facts: Facts, member: str, account_id: str, name: str, at: datetime
) -> MembersAccountBody | None:
    """Return what they have of an account, None where that is nothing."""
    account = facts.accounts.get(account_id)
    use = decide(facts, member, "use", account_id, at)
    is_owner = decide(facts, member, "share", account_id, at).allowed
    if account is None or not (use.allowed or is_owner):
        return None
    missing: str | None = None
    if not use.allowed:
        [missing] = explain(facts, use, member=member, action="use", account_id=account_id, at=at)
    return MembersAccountBody(
        account_id=account_id,
        name=name,
        extension=account.extension,
        level="owner" if is_owner else "user",
        usable=use.allowed,
        way=use.way,
        code=use.code,
        message=missing,
    )
