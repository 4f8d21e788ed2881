"""The steps of all extensions, for workflow editors."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from keyturn_contracts.catalog import Party
from keyturn_contracts.ids import Slug
from pydantic import BaseModel

from services.catalog.api.bodies import StepBody
from services.catalog.api.listing import Search, read_place, search_of, write_place
from services.catalog.api.seeing import sees_all
from services.catalog.rules.shelf import Wanted
from services.catalog.shelving import Shelving
from shared.http.auth import Caller, HasContext
from shared.http.brand import brand_connection
from shared.http.paging import After, Limit


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
        *,
        search: Search = None,
        kind: Annotated[Literal["event", "task"] | None, Query()] = None,
        category: Annotated[Slug | None, Query()] = None,
        party: Annotated[Party | None, Query()] = None,
        installed: Annotated[bool | None, Query()] = None,
        after: After = None,
        limit: Limit = 50,
    ) -> StepsBody:
        """List the steps of what the brand's licence covers; the best first, or by name."""
        place = read_place(after)
        wanted = Wanted(
            search=search_of(search),
            kind=kind,
            category=category,
            party=party,
            is_installed=installed,
        )
        async with brand_connection(context, caller) as connection:
            shelf, sight = await shelving.look(connection, caller.brand, sees_all=sees_all(caller))
        found = shelf.steps(wanted, sight, place, limit + 1)
        return StepsBody(
            items=[StepBody.of(card, step) for _, card, step in found[:limit]],
            next=write_place(found[limit - 1][0]) if len(found) > limit else None,
        )

    return router
