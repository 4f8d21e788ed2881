"""The steps of all extensions, for workflow editors."""

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from services.catalog.api.bodies import StepBody
from services.catalog.api.listing import HasListing
from services.catalog.api.seeing import sees_all
from services.catalog.shelving import Shelving
from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection


class StepsBody(BaseModel):
    """One page. `next` is what to ask `after` for the page behind it; absent on the last."""

    items: list[StepBody]
    next: str | None = None


def step_routes(shelving: Shelving) -> APIRouter:
    router = APIRouter(prefix="/v1/steps")

    @router.get("", response_model_exclude_none=True)
    async def list_steps(
        caller: Caller,
        context: HasContext,
        listing: HasListing,
        *,
        kind: Annotated[Literal["event", "task"] | None, Query()] = None,
    ) -> StepsBody:
        """List the steps of what the brand's licence covers; the best first, or by name."""
        wanted = replace(listing.wanted, kind=kind)
        async with brand_connection(context, caller) as connection:
            shelf, sight = await shelving.look(connection, caller.brand, sees_all=sees_all(caller))
        found = shelf.steps(wanted, sight, listing.after, listing.one_more)
        return StepsBody(
            items=[StepBody.of(card, step) for _, card, step in found[: listing.limit]],
            next=listing.next_after([place for place, *_ in found]),
        )

    return router
