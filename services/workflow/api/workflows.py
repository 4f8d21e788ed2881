"""Workflows: which there are, and which are behind."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from keyturn_contracts.ids import Id
from keyturn_contracts.message import Key
from keyturn_contracts.workflow import WhyWaiting
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.api.seeing import whose
from services.workflow.queries import rollout as rollout_queries
from services.workflow.queries import workflow as queries
from services.workflow.queries.rollout import Filter
from services.workflow.rules.account import Account
from services.workflow.rules.rollout import Rollout, count_legs
from services.workflow.store.account import COPIED, read_account
from services.workflow.store.leg import load_legs
from services.workflow.store.rollout import STATE, read_rollout
from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection
from shared.http.paging import After, Limit, read_after, write_cursor

router = APIRouter(prefix="/v1")

_ROLLOUTS = 50
"""How many open rollouts are counted at once on the way to a page of what is behind."""


class WorkflowBody(BaseModel):
    engine_id: str
    workflow_id: str
    name: str
    owner: str
    preview: bool
    """It uses an account of an extension that is in preview."""


class WorkflowsBody(BaseModel):
    """One page. `next` is what to ask `after` for the page behind it; absent on the last."""

    items: list[WorkflowBody]
    next: str | None = None


class BehindBody(BaseModel):
    """A workflow that a rollout still waits for."""

    rollout_id: str
    engine_id: str
    workflow_id: str
    name: str
    why: WhyWaiting
    reason: str | None = None
    """Why it failed, in its engine's words."""


class BehindsBody(BaseModel):
    """One page. `next` is what to ask `after` for the page behind it; absent on the last."""

    items: list[BehindBody]
    next: str | None = None


@router.get("/workflows", response_model_exclude_none=True)
async def list_workflows(
    caller: Caller,
    context: HasContext,
    *,
    engine: Annotated[Id | None, Query()] = None,
    account: Annotated[Id | None, Query()] = None,
    after: After = None,
    limit: Limit = 50,
) -> WorkflowsBody:
    """List workflows, by engine and id: an administrator's all, a member's own."""
    owner, place = whose(caller), read_after(after, 2)
    async with brand_connection(context, caller) as connection:
        rows = await queries.load_workflows(
            connection,
            caller.brand,
            owner=owner,
            engine_id=engine,
            account_id=account,
            after=place,
            limit=limit + 1,
        )
    items = [WorkflowBody.model_validate(one, from_attributes=True) for one in rows[:limit]]
    last = items[-1] if len(rows) > limit else None
    return WorkflowsBody(
        items=items, next=write_cursor(last.engine_id, last.workflow_id) if last else None
    )


@router.get("/workflows/behind", response_model_exclude_none=True)
async def list_behind(
    caller: Caller,
    context: HasContext,
    *,
    engine: Annotated[Id | None, Query()] = None,
    account: Annotated[Id | None, Query()] = None,
    after: After = None,
    limit: Limit = 50,
) -> BehindsBody:
    """List the workflows that open rollouts wait for, by account, engine and workflow, and why."""
    wanted = Filter(owner=whose(caller), account_id=account)
    from_account, from_engine, from_workflow = read_after(after, 3)
    items: list[BehindBody] = []
    async with brand_connection(context, caller) as connection:
        while True:
            rows = await rollout_queries.load_open(
                connection,
                caller.brand,
                (*STATE, *COPIED),
                wanted,
                from_account=from_account,
                limit=_ROLLOUTS,
            )
            for rollout, engine_id, why in await _waiting(connection, rows):
                place = (rollout.account_id, engine_id)
                if place < (from_account, from_engine) or engine not in {None, engine_id}:
                    continue
                is_first = place == (from_account, from_engine)
                items += await _behind(
                    connection,
                    caller.brand,
                    (rollout, engine_id, why),
                    after=from_workflow if is_first else "",
                    limit=limit + 1 - len(items),
                )
                if len(items) > limit:
                    return BehindsBody(items=items[:limit], next=_cursor(items[limit - 1]))
            if len(rows) < _ROLLOUTS:
                return BehindsBody(items=items)
            # The next accounts: an id is followed at once by the same with the least character.
            from_account, from_engine, from_workflow = (
                read_rollout(rows[-1])[1].account_id + " ",
                "",
                "",
            )


Waiting = tuple[Rollout, str, WhyWaiting]


async def _waiting(connection: AsyncConnection, rows: Sequence[Sequence[Any]]) -> list[Waiting]:
    """Return whom these rollouts wait for now, by account and engine."""
    rollouts: dict[Key, Rollout] = {}
    accounts: dict[Key, Account] = {}
    for row in rows:
        key, account = read_account(row[len(STATE) :])
        if account is not None:
            accounts[key] = account
            # The newest of an account, where the closer has not ended the one before yet.
            _, rollouts[key] = read_rollout(row[: len(STATE)])
    legs = await load_legs(connection, accounts)
    now = await rollout_queries.load_time(connection)
    found: list[Waiting] = []
    for key, account in sorted(accounts.items()):
        count = count_legs(rollouts[key], account, legs[key], now)
        found.extend((rollouts[key], one.engine_id, one.why) for one in count.waiting)
    return found


async def _behind(
    connection: AsyncConnection, brand: str, waiting: Waiting, *, after: str, limit: int
) -> list[BehindBody]:
    rollout, engine_id, why = waiting
    if why == "failed":
        rows = await queries.load_failed(
            connection, brand, engine_id, rollout.account_id, after=after, limit=limit
        )
    else:
        rows = await queries.load_bound(
            connection,
            brand,
            engine_id,
            rollout.account_id,
            is_vanished=why == "vanished",
            after=after,
            limit=limit,
        )
    return [
        BehindBody(
            rollout_id=rollout.id,
            engine_id=engine_id,
            workflow_id=workflow_id,
            name=name,
            why=why,
            reason=reason,
        )
        for workflow_id, name, reason in rows
    ]


def _cursor(last: BehindBody) -> str:
    account_id, _, _ = last.rollout_id.rpartition(".")
    return write_cursor(account_id, last.engine_id, last.workflow_id)
