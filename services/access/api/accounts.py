"""An account's access: who has it, and what became of it."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from keyturn_contracts.access import EVERYONE, HowGranted, Level
from keyturn_contracts.actor import Actor
from keyturn_contracts.ids import Id
from keyturn_contracts.rights import Facts
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.api.listing import Search
from services.access.api.seeing import owns, sees_everybody
from services.access.queries import grants as queries
from services.access.queries.facts import Wanted, load_facts
from services.access.queries.history import load_history
from services.access.queries.holders import Filter
from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection
from shared.http.errors import ApiError
from shared.http.paging import After, Limit, read_after, write_cursor

router = APIRouter(prefix="/v1/accounts/{account_id}/access")

MOST_NAMED = 100
"""How many of the members that one record is about are shown."""


class AccessBody(BaseModel):
    """What one member, or everyone, has of the account."""

    member: str
    """Of everyone `*`."""
    name: str
    """As it stands on the list; empty where none does."""
    level: Level
    how: HowGranted
    by: str
    since: datetime
    until: datetime | None = None


class TableBody(BaseModel):
    """One page of who has access, and how many rows all pages have; everyone is the first row.

    `next` is what to ask `after` for the page behind it; absent on the last.
    """

    items: list[AccessBody]
    next: str | None = None
    total: int


class RecordBody(BaseModel):
    """Something that was done to the account's access."""

    at: datetime
    by: str
    issuer: str | None = None
    """Who vouched for them; absent where the service acted by itself."""
    action: str
    """The command's name, or what the service did by itself."""
    members: dict[str, str]
    """By member, or `*`, what they became, the first 100: `owner`, `user`, `ended`."""
    member_count: int
    why: str | None = None


class RecordsBody(BaseModel):
    """One page, the newest first. `next` is what to ask `after` for the page behind it."""

    items: list[RecordBody]
    next: str | None = None


@router.get("", response_model_exclude_none=True)
async def list_access(
    account_id: Id,
    caller: Caller,
    context: HasContext,
    *,
    search: Search = None,
    level: Annotated[Level | None, Query()] = None,
    after: After = None,
    limit: Limit = 50,
) -> TableBody:
    """List who has access: for owners and administrators all, for others what they have."""
    [place] = read_after(after, 1)
    async with brand_connection(context, caller) as connection:
        facts, at = await _load_facts(connection, caller, account_id)
        sees_all = sees_everybody(caller) or owns(facts, caller, account_id, at)
        wanted = Filter(search=search, only=None if sees_all else (EVERYONE, caller.subject))
        total = await queries.count_table(
            connection, caller.brand, account_id, wanted, level=level, at=at
        )
        rows = await queries.load_table(
            connection,
            caller.brand,
            account_id,
            wanted,
            level=level,
            at=at,
            after=place,
            limit=limit + 1,
        )
    items = [AccessBody.model_validate(row, from_attributes=True) for row in rows[:limit]]
    return TableBody(
        items=items,
        next=write_cursor(items[-1].member) if len(rows) > limit else None,
        total=total,
    )


@router.get("/history", response_model_exclude_none=True)
async def list_history(
    account_id: Id,
    caller: Caller,
    context: HasContext,
    *,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> RecordsBody:
    """List what was done to the account's access, also after it was deleted."""
    [place] = read_after(after, 1)
    async with brand_connection(context, caller) as connection:
        if not sees_everybody(caller):
            facts, at = await _load_facts(connection, caller, account_id)
            if not owns(facts, caller, account_id, at):
                raise ApiError(
                    "not_allowed", "Only its owners and the brand's administrators see this."
                )
        rows = await load_history(
            connection, caller.brand, f"grants/{account_id}", after=place, limit=limit + 1
        )
    items = [
        RecordBody(
            at=row.at,
            by=row.actor,
            issuer=row.issuer or None,
            action=row.action,
            members=dict(sorted(row.members.items())[:MOST_NAMED]),
            member_count=len(row.members),
            why=row.why,
        )
        for row in rows[:limit]
    ]
    return RecordsBody(
        items=items, next=write_cursor(rows[limit - 1].id) if len(rows) > limit else None
    )


async def _load_facts(
    connection: AsyncConnection, caller: Actor, account_id: str
) -> tuple[Facts, datetime]:
    """Return what tells what they may see of an account, and at which moment.

    What is not there and what they have nothing to do with look alike: `not_found`.
    """
    wanted = Wanted(accounts={(account_id, caller.subject)})
    facts = (await load_facts(connection, caller.brand, wanted)).facts
    at = datetime.now(UTC)
    account = facts.accounts.get(account_id)
    if account is not None and account.is_deleted:
        account = None
    if account is None or not (sees_everybody(caller) or _has_any(facts, caller, account_id, at)):
        raise ApiError("not_found", f"Nothing is known of an account {account_id} here.")
    return facts, at


def _has_any(facts: Facts, caller: Actor, account_id: str, at: datetime) -> bool:
    held = facts.grants.get(account_id, {}).values()
    return facts.is_member(caller.subject) and any(one.holds_at(at) for one in held)
