"""Rollouts: how far each has got, whom it waits for, and its proof."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from keyturn_contracts.ids import Id, RolloutId
from keyturn_contracts.workflow import ExcusedLeg, RolloutState, WaitingLeg
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.api.seeing import whose
from services.workflow.queries import rollout as queries
from services.workflow.queries.rollout import Filter
from services.workflow.queries.workflow import load_first_failed, load_first_vanished
from services.workflow.rules.rollout import ENDED, Rollout, View, count_legs, view_of
from services.workflow.store.account import COPIED, read_account
from services.workflow.store.leg import load_legs
from services.workflow.store.rollout import STATE, read_rollout, rollout_key
from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection
from shared.http.errors import ApiError
from shared.http.paging import After, Limit, read_after, write_cursor

router = APIRouter(prefix="/v1/rollouts")


class RolloutBody(BaseModel):
    """One account's way to one version, as its events tell it."""

    rollout_id: str
    account_id: str
    version: int
    account_epoch: int
    state: RolloutState
    opened_at: datetime
    deadline: datetime
    completed_at: datetime | None = None
    legs: int
    done: int
    waiting: tuple[WaitingLeg, ...]
    """The first 100 engines that it waits for, and why."""
    excused: tuple[ExcusedLeg, ...]
    asked: int
    proof_sha256: str | None = None


class FailedBody(BaseModel):
    engine_id: str
    workflow_id: str
    reason: str


class VanishedBody(BaseModel):
    engine_id: str
    workflow_id: str
    task_id: str


class RolloutInFullBody(RolloutBody):
    """With the names of what keeps it, the first 100 of each, as they are now."""

    failed: list[FailedBody]
    vanished: list[VanishedBody]
    seconds: float
    """From its opening to its end, or to now."""


class RolloutsBody(BaseModel):
    """One page. `next` is what to ask `after` for the page behind it; absent on the last."""

    items: list[RolloutBody]
    next: str | None = None


@router.get("", response_model_exclude_none=True)
async def list_rollouts(
    caller: Caller,
    context: HasContext,
    *,
    account: Annotated[Id | None, Query()] = None,
    state: Annotated[RolloutState | None, Query()] = None,
    after: After = None,
    limit: Limit = 50,
) -> RolloutsBody:
    """List rollouts, the newest first, as they were last announced."""
    wanted = Filter(owner=whose(caller), account_id=account, state=state)
    async with brand_connection(context, caller) as connection:
        rows = await queries.load_page(
            connection, caller.brand, STATE, wanted, after=_place(after), limit=limit + 1
        )
    rollouts = [read_rollout(row)[1] for row in rows[:limit]]
    more = None
    if len(rows) > limit:
        last = rollouts[-1]
        more = write_cursor(last.opened_at.isoformat(), last.account_id, str(last.version))
    return RolloutsBody(items=[_body(one, one.view) for one in rollouts], next=more)


@router.get("/{rollout_id}", response_model_exclude_none=True)
async def show_rollout(
    rollout_id: RolloutId, caller: Caller, context: HasContext
) -> RolloutInFullBody:
    """Show a rollout; one that has not ended, as its legs are now."""
    owner = whose(caller)
    async with brand_connection(context, caller) as connection:
        rollout = await _load(connection, caller.brand, rollout_id, owner)
        view, now = await _view_now(connection, caller.brand, rollout)
        failed: Sequence[Any] = ()
        vanished: Sequence[Any] = ()
        if rollout.state not in ENDED:
            failed = await load_first_failed(connection, caller.brand, rollout.account_id)
            vanished = await load_first_vanished(connection, caller.brand, rollout.account_id)
    end = rollout.completed_at or now
    return RolloutInFullBody(
        **_body(rollout, view).model_dump(),
        failed=[FailedBody.model_validate(one, from_attributes=True) for one in failed],
        vanished=[VanishedBody.model_validate(one, from_attributes=True) for one in vanished],
        seconds=(end - rollout.opened_at).total_seconds(),
    )


@router.get(
    "/{rollout_id}/proof",
    response_class=Response,
    responses={200: {"content": {"application/json": {}}, "description": "The signed bundle."}},
)
async def show_proof(rollout_id: RolloutId, caller: Caller, context: HasContext) -> Response:
    """Return the proof of a completed rollout, byte by byte as it was signed."""
    owner = whose(caller)
    async with brand_connection(context, caller) as connection:
        rollout = await _load(connection, caller.brand, rollout_id, owner)
        bundle = await queries.load_proof(
            connection, caller.brand, rollout.account_id, rollout.version
        )
    if bundle is None:
        raise ApiError("not_found", f"The rollout is {rollout.state}: only a completed one has it.")
    return Response(bundle, media_type="application/json")


async def _load(
    connection: AsyncConnection, brand: str, rollout_id: str, owner: str | None
) -> Rollout:
    _, account_id, version = rollout_key(brand, rollout_id)
    row = None
    if version < 2**63:
        row = await queries.load_one(connection, brand, STATE, account_id, version, owner=owner)
    if row is None:
        raise ApiError("not_found", f"There is no rollout {rollout_id} in your brand.")
    return read_rollout(row)[1]


async def _view_now(
    connection: AsyncConnection, brand: str, rollout: Rollout
) -> tuple[View, datetime]:
    """Return the rollout's view, counted anew unless it has ended, and the time."""
    now = await queries.load_time(connection)
    row = await queries.load_account(connection, brand, COPIED, rollout.account_id, owner=None)
    key, account = (None, None) if row is None else read_account(row)
    if rollout.state in ENDED or key is None or account is None:
        return rollout.view, now
    legs = (await load_legs(connection, {key: account}))[key]
    return view_of(rollout, count_legs(rollout, account, legs, now)), now


def _place(after: str | None) -> tuple[datetime, str, int] | None:
    if after is None:
        return None
    opened_at, account_id, version = read_after(after, 3)
    try:
        place = datetime.fromisoformat(opened_at), account_id, int(version)
    except ValueError:
        place = None
    if place is None or place[0].tzinfo is None or not 0 < place[2] < 2**63:
        raise ApiError("invalid", "`after` is what `next` of the page before said.")
    return place


def _body(rollout: Rollout, view: View) -> RolloutBody:
    return RolloutBody(
        rollout_id=rollout.id,
        account_id=rollout.account_id,
        version=rollout.version,
        account_epoch=rollout.account_epoch,
        state=rollout.state,
        opened_at=rollout.opened_at,
        deadline=rollout.deadline,
        completed_at=rollout.completed_at,
        legs=view.legs,
        done=view.done,
        waiting=view.waiting,
        excused=view.excused,
        asked=rollout.asked,
        proof_sha256=rollout.proof_sha256,
    )
