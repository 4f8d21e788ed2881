"""Accounts and their versions, for people: administrators of the brand, and their owners."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from keyturn_contracts.actor import Actor
from keyturn_contracts.credential_vault import AccountState
from keyturn_contracts.ids import Id, Slug
from pydantic import BaseModel

from services.credential_vault import queries
from services.credential_vault.queries import Filter
from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection
from shared.http.errors import ApiError

router = APIRouter(prefix="/v1/accounts")


class AccountBody(BaseModel):
    """An account, without anything secret."""

    account_id: str
    extension: str
    scheme: str
    name: str
    settings: dict[str, str]
    creator: str
    owners: list[str]
    """Who owns it now, in the order of their ids: the first hundred of very many."""
    state: AccountState
    reason: str | None = None
    version: int
    retire: str


class VersionBody(BaseModel):
    """One version's history. `since` is when it came into its state, `by` who brought it there."""

    version: int
    state: str
    since: datetime
    by: str
    reason: str | None = None
    """Of a refused one."""
    scheme: str
    settings: dict[str, str]
    created_at: datetime
    created_by: str
    promoted_at: datetime | None = None
    retires_at: datetime | None = None
    """Of a previous one, once it is settled."""
    ended_at: datetime | None = None
    """When it was retired or refused."""


class HolderBody(BaseModel):
    """An engine that fetched a version which is not retired."""

    engine_id: str
    version: int
    lease_until: datetime | None = None


class AccountWithHistoryBody(AccountBody):
    """An account with its versions, the newest first, and who holds which of them."""

    versions: list[VersionBody]
    holders: list[HolderBody]
    unretired: list[int]


class AccountsBody(BaseModel):
    """One page. `next` is what to ask `after` for the page behind it; absent on the last."""

    items: list[AccountBody]
    next: str | None = None


@router.get("", response_model_exclude_none=True)
async def list_accounts(
    caller: Caller,
    context: HasContext,
    *,
    extension: Annotated[Slug | None, Query()] = None,
    state: Annotated[AccountState | None, Query()] = None,
    name: Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00]*$")] = None,
    after: Annotated[Id | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AccountsBody:
    """List accounts in the order of their ids: of a member those that they own.

    What somebody may use, the access service says.
    """
    wanted = Filter(owner=_whose(caller), extension=extension, state=state, name=name)
    async with brand_connection(context, caller) as connection:
        # One more than asked for: it says whether there is another page.
        rows = await queries.load_page(
            connection, caller.brand, wanted, after=after, limit=limit + 1
        )
    items = [_account(row) for row in rows[:limit]]
    return AccountsBody(items=items, next=items[-1].account_id if len(rows) > limit else None)


@router.get("/{account_id}", response_model_exclude_none=True)
async def show_account(
    account_id: Id, caller: Caller, context: HasContext
) -> AccountWithHistoryBody:
    async with brand_connection(context, caller) as connection:
        row = await queries.load_account(
            connection, caller.brand, account_id, Filter(owner=_whose(caller))
        )
        if row is None:
            raise ApiError("not_found", f"There is no account {account_id} in your brand.")
        history = await queries.load_history(connection, caller.brand, account_id)
        holders = await queries.load_holders(connection, caller.brand, account_id)
    return AccountWithHistoryBody(
        **_account(row).model_dump(),
        versions=_versions(history),
        holders=[
            HolderBody(engine_id=one.engine_id, version=one.version, lease_until=one.lease_until)
            for one in holders
        ],
        unretired=sorted(one.number for one in history if one.status == "previous"),
    )


def _whose(caller: Actor) -> str | None:
    """Return whose accounts the caller sees: everybody's (None), or those that they own."""
    if caller.engine_id is not None:
        raise ApiError("not_allowed", "An engine fetches credentials; it reads no accounts.")
    if "administrator" in caller.roles:
        return None
    if "member" not in caller.roles:
        raise ApiError("not_allowed", "Only members of the brand see this, and you are none.")
    return caller.subject


def _account(row: Any) -> AccountBody:
    return AccountBody(
        account_id=row.id,
        extension=row.extension,
        scheme=row.scheme,
        name=row.name,
        settings=row.settings,
        creator=row.creator,
        owners=row.owners,
        state=row.state,
        reason=row.reason,
        version=row.version,
        retire=row.retire,
    )


def _versions(history: Sequence[Any]) -> list[VersionBody]:
    """Return them as they come, the newest first; the newer one says since when one is previous."""
    bodies: list[VersionBody] = []
    newer: Any | None = None
    for row in history:
        is_replaced = row.status == "previous" and newer is not None
        entered, by = (
            (newer.promoted_at, newer.created_by)
            if is_replaced and newer is not None
            else (row.promoted_at or row.created_at, row.created_by)
        )
        bodies.append(
            VersionBody(
                version=row.number,
                state=row.status,
                since=row.ended_at or entered,
                by=row.ended_by or by,
                reason=row.refusal,
                scheme=row.scheme,
                settings=row.settings,
                created_at=row.created_at,
                created_by=row.created_by,
                promoted_at=row.promoted_at,
                retires_at=row.retire_at,
                ended_at=row.ended_at,
            )
        )
        if row.promoted_at is not None:
            newer = row
    return bodies
