"""Engines, for administrators; and of an engine, for itself, where its log stands."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from keyturn_contracts.ids import Id
from keyturn_contracts.workflow import EngineKind, EngineState, Reach
from pydantic import BaseModel

from services.workflow.api.seeing import whose
from services.workflow.queries import engine as queries
from services.workflow.rules.engine import registered_as
from services.workflow.store.engine import STATE, read_engine
from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection
from shared.http.errors import ApiError
from shared.http.paging import After, Limit, read_after, write_cursor

router = APIRouter(prefix="/v1/engines")


class LogPositionBody(BaseModel):
    """All that an engine may read here: never a count or a digest."""

    epoch: int
    number: int


class EngineBody(LogPositionBody):
    engine_id: str
    name: str
    engine_kind: EngineKind
    lease_seconds: int | None = None
    reach: Reach
    state: EngineState
    sig: str
    """The thumbprint of its signing key (RFC 7638)."""
    enc: str
    """Likewise of its sealing key."""


class EnginesBody(BaseModel):
    """One page. `next` is what to ask `after` for the page behind it; absent on the last."""

    items: list[EngineBody]
    next: str | None = None


@router.get("", response_model_exclude_none=True)
async def list_engines(
    caller: Caller, context: HasContext, *, after: After = None, limit: Limit = 50
) -> EnginesBody:
    """List the brand's engines, retired ones too, in the order of their ids."""
    if whose(caller) is not None:
        raise ApiError("not_allowed", "Only an administrator lists engines.")
    [place] = read_after(after, 1)
    async with brand_connection(context, caller) as connection:
        rows = await queries.load_page(
            connection, caller.brand, STATE, after=place, limit=limit + 1
        )
    items = [_body(row) for row in rows[:limit]]
    return EnginesBody(
        items=items, next=write_cursor(items[-1].engine_id) if len(rows) > limit else None
    )


@router.get("/{engine_id}", response_model_exclude_none=True)
async def show_engine(
    engine_id: Id, caller: Caller, context: HasContext
) -> EngineBody | LogPositionBody:
    """Show an engine; to the engine itself, its epoch and number and nothing else."""
    is_itself = caller.engine_id == engine_id
    if not is_itself and whose(caller) is not None:
        raise ApiError("not_allowed", "Only an administrator and the engine itself see this.")
    async with brand_connection(context, caller) as connection:
        row = await queries.load_one(connection, caller.brand, STATE, engine_id)
    if row is None:
        raise ApiError("not_found", f"There is no engine {engine_id} in your brand.")
    body = _body(row)
    if not is_itself:
        return body
    if body.state == "retired":
        raise ApiError("not_allowed", "The engine was retired: nothing is answered to it.")
    return LogPositionBody(epoch=body.epoch, number=body.number)


def _body(row: Sequence[Any]) -> EngineBody:
    _, engine = read_engine(row)
    registered = registered_as(engine)
    return EngineBody(
        engine_id=engine.id,
        name=registered.name,
        engine_kind=engine.kind,
        lease_seconds=registered.lease_seconds,
        reach=registered.reach,
        state=engine.state,
        sig=registered.sig.thumbprint(),
        enc=registered.enc.thumbprint(),
        epoch=engine.epoch,
        number=engine.number,
    )
