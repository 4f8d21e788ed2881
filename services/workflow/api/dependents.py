"""What depends on an account: its tasks, and which of them somebody's access keeps running."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from keyturn_contracts.access import EVERYONE, MemberId
from keyturn_contracts.actor import Actor
from keyturn_contracts.ids import Id
from keyturn_contracts.message import Key
from keyturn_contracts.workflow import NotAllowed
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.api.seeing import whose
from services.workflow.queries import rollout as rollout_queries
from services.workflow.queries import workflow as queries
from services.workflow.rules.access import Access, is_flagged, may_use
from services.workflow.rules.account import Account
from services.workflow.rules.preview import Losing, without
from services.workflow.rules.usage import Usage
from services.workflow.store.access import load_access
from services.workflow.store.account import COPIED, key_of, read_account
from services.workflow.store.usage import load_usage_of
from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection
from shared.http.errors import ApiError
from shared.http.paging import After, Limit, read_after, write_cursor

router = APIRouter(prefix="/v1/accounts/{account_id}")

MAX_NAMED = 100
"""How many members a preview is asked for at once."""

State = Literal["allowed", "suspended", "flagged", "vanished"]
"""`flagged`: its owner has no access, and the brand has such tasks go on."""


class TaskBody(BaseModel):
    """One task that uses the account."""

    engine_id: str
    workflow_id: str
    task_id: str
    name: str
    """Of the workflow."""
    owner: str
    state: State
    reason: NotAllowed | None = None


class DependentBody(TaskBody):
    preview: bool
    """The account's extension is in preview."""


class DependentsBody(BaseModel):
    """One page of tasks, and how many there are of them all."""

    items: list[DependentBody]
    next: str | None = None
    count: int
    vanished_count: int


class RevocationBody(BaseModel):
    """One page of the tasks that would be suspended or flagged, and how many of them all.

    `state` and `reason` are as they would be. What is so already is not among them.
    """

    items: list[TaskBody]
    next: str | None = None
    count: int
    keep: list[str]
    """Whom of those that were named it leaves their access: everyone has it."""


@router.get("/dependents", response_model_exclude_none=True)
async def list_dependents(
    account_id: Id, caller: Caller, context: HasContext, *, after: After = None, limit: Limit = 50
) -> DependentsBody:
    """List the tasks that a rotation of the account touches: suspended and vanished ones too."""
    place = read_after(after, 3)
    async with brand_connection(context, caller) as connection:
        account = await _load(connection, caller, account_id)
        is_preview = account is not None and await queries.load_preview(
            connection, caller.brand, account.extension
        )
        count, vanished = await queries.count_dependents(connection, caller.brand, account_id)
        rows = await queries.load_dependents(
            connection, caller.brand, account_id, after=place, limit=limit + 1
        )
        key = key_of(caller.brand, account_id)
        access = await _load_access(connection, key, account, {one.owner for one in rows})
    items = [
        DependentBody(**_task(one, account, access).model_dump(), preview=is_preview)
        for one in rows[:limit]
    ]
    return DependentsBody(
        items=items,
        next=_next(items[-1]) if len(rows) > limit else None,
        count=count,
        vanished_count=vanished,
    )


@router.get("/revocation", response_model_exclude_none=True)
async def preview_revocation(
    account_id: Id,
    caller: Caller,
    context: HasContext,
    *,
    member: Annotated[list[MemberId] | None, Query(max_length=MAX_NAMED)] = None,
    everyone: bool = False,
    after: After = None,
    limit: Limit = 50,
) -> RevocationBody:
    """List the tasks that stop, or are flagged, if members lose what they were given by name.

    With `everyone` what was given to everyone at once. Nothing is changed by it.
    """
    named = frozenset(member or ())
    if bool(named) == everyone:
        raise ApiError("invalid", "Name members, or say everyone=true: one of both.")
    place, key = read_after(after, 3), key_of(caller.brand, account_id)
    async with brand_connection(context, caller) as connection:
        account = await _load(connection, caller, account_id)
        usage = await load_usage_of(connection, [key])
        owners = {owner for by_owner in usage.values() for owner in by_owner}
        access = await _load_access(connection, key, account, owners | named)
        losing = without(account, access, named or frozenset({EVERYONE}), owners)
        rows = await queries.load_dependents(
            connection,
            caller.brand,
            account_id,
            owners=sorted(losing.losers),
            after=place,
            limit=limit + 1,
        )
    items = [_task(one, account, losing.access) for one in rows[:limit]]
    return RevocationBody(
        items=items,
        next=_next(items[-1]) if len(rows) > limit else None,
        count=_count(usage.values(), losing),
        keep=sorted(one for one in named if may_use(account, one, losing.access) is None),
    )


async def _load(connection: AsyncConnection, caller: Actor, account_id: str) -> Account | None:
    """Return the account, None where its news has not come, to whom it may be shown."""
    row = await rollout_queries.load_account(
        connection, caller.brand, COPIED, account_id, owner=whose(caller)
    )
    if row is None:
        raise ApiError("not_found", f"Nothing is known of an account {account_id} here.")
    return read_account(row)[1]


async def _load_access(
    connection: AsyncConnection,
    key: Key,
    account: Account | None,
    owners: set[str] | frozenset[str],
) -> Access:
    accounts = {} if account is None else {key: account}
    access = await load_access(
        connection, [key.brand], accounts, ((key, owner) for owner in owners)
    )
    return access[key.brand]


def _task(row: Any, account: Account | None, access: Access) -> TaskBody:
    reason = may_use(account, row.owner, access)
    state: State = "allowed" if reason is None else "suspended"
    if is_flagged(reason, access):
        state = "flagged"
    return TaskBody(
        engine_id=row.engine_id,
        workflow_id=row.workflow_id,
        task_id=row.task_id,
        name=row.name,
        owner=row.owner,
        state="vanished" if row.is_vanished else state,
        reason=reason,
    )


def _count(usage: Iterable[Mapping[str, Usage]], losing: Losing) -> int:
    return sum(by_owner[one].count for by_owner in usage for one in by_owner.keys() & losing.losers)


def _next(last: TaskBody) -> str:
    return write_cursor(last.engine_id, last.workflow_id, last.task_id)
