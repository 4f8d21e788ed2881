"""Held commands, for operators: what is held back and why, tried again or given up."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Path, Query
from keyturn_contracts.actor import Actor
from pydantic import BaseModel

from shared.http.auth import Caller, HasContext, speaks_for
from shared.http.errors import ApiError
from shared.messaging.context import Context
from shared.messaging.held import Place, State
from shared.messaging.held_desk import (
    HeldCommand,
    drop_held,
    find_held_command,
    list_held,
    retry_held,
)

_log = structlog.stdlib.get_logger()

_PLACE = re.compile(r"(keyturn\.[a-z-]{1,60}\.commands)-(\d{1,6})-(\d{1,18})")
_PlaceText = Annotated[
    str, Path(description="Topic, partition and offset: `keyturn.workflow.commands-3-1042`.")
]
_After = Annotated[str | None, Query(description="The `place` of the last one of the page before.")]


class ShownHeld(BaseModel):
    """A held command, without its content."""

    place: str
    brand: str
    subject: str
    issuer: str
    id: str
    command: str
    state: State
    due: datetime | None
    attempts: int
    first_at: datetime
    cause: str
    is_dropped: bool
    size: int


class HeldPage(BaseModel):
    """A page of the list; `next` is absent on the last one."""

    items: list[ShownHeld]
    next: str | None = None


def held_routes() -> APIRouter:
    """Return the routes that every service has for its held commands."""
    router = APIRouter(prefix="/v1/held")

    @router.get("", response_model_exclude_none=True)
    async def list_(
        caller: Caller,
        context: HasContext,
        *,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        after: _After = None,
        state: State | None = None,
    ) -> HeldPage:
        """List held commands of the brands that the operator's issuer vouches for, by place.

        A page may then be short; `next` says whether it is the last.
        """
        _check_operator(caller)
        async with context.writer.connect() as connection:
            found = await list_held(
                connection, limit=limit, after=_place(after) if after else None, state=state
            )
        last = _text(found[-1].place) if len(found) == limit else None
        mine = [one for one in found if speaks_for(context, caller, one.key.brand)]
        return HeldPage(items=[_shown(one) for one in mine], next=last)

    @router.get("/{place}", response_model_exclude_none=True)
    async def show(place: _PlaceText, caller: Caller, context: HasContext) -> ShownHeld:
        """Show one held command."""
        _check_operator(caller)
        return _shown(await _find(context, caller, _place(place)))

    @router.post("/{place}/{what}", response_model_exclude_none=True)
    async def change(
        place: _PlaceText, what: Literal["retry", "drop"], caller: Caller, context: HasContext
    ) -> ShownHeld:
        """Have a held command tried at once as if for the first time, or give it up."""
        _check_operator(caller)
        chosen = _place(place)
        held = await _find(context, caller, chosen)
        act = retry_held if what == "retry" else drop_held
        async with context.writer.begin() as connection:
            is_done = await act(connection, chosen, datetime.now(UTC))
        if not is_done:
            raise ApiError(
                "conflict", "It only queues behind another command of its key: begin with that one."
            )
        _log.warning(
            "an operator changed a held command",
            audit=True,
            what=what,
            place=place,
            command=held.command,
            brand=held.key.brand,
            by=caller.subject,
            of=caller.issuer,
        )
        context.wake()
        return _shown(await _find(context, caller, chosen, or_else=held))

    return router


def _check_operator(caller: Actor) -> None:
    if "operator" not in caller.roles:
        raise ApiError("not_allowed", "Only an operator may look at held commands.")


def _place(text: str) -> Place:
    found = _PLACE.fullmatch(text)
    if found is None:
        raise ApiError("not_found", "No command is held there.")
    return Place(found[1], int(found[2]), int(found[3]))


async def _find(
    context: Context, caller: Actor, place: Place, or_else: HeldCommand | None = None
) -> HeldCommand:
    async with context.writer.connect() as connection:
        found = await find_held_command(connection, place) or or_else
    if found is None or not speaks_for(context, caller, found.key.brand):
        raise ApiError("not_found", "No command is held there.")
    return found


def _text(place: Place) -> str:
    return "-".join(str(part) for part in place)


def _shown(held: HeldCommand) -> ShownHeld:
    return ShownHeld(
        place=_text(held.place),
        brand=held.key.brand,
        subject=held.key.subject,
        issuer=held.id.issuer,
        id=held.id.id,
        command=held.command,
        state=held.state,
        due=held.due,
        attempts=held.attempts,
        first_at=held.first_at,
        cause=held.cause,
        is_dropped=held.is_dropped,
        size=held.size,
    )
