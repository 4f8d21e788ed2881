"""What a brand is licensed for: for its members, and for operators of every brand."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from keyturn_contracts.actor import Actor
from keyturn_contracts.ids import Id
from pydantic import BaseModel

from services.catalog.api.seeing import sees_all
from services.catalog.queries.licence import load_licence
from shared.http.auth import Caller, HasContext, speaks_for
from shared.http.brand import brand_connection
from shared.http.errors import ApiError
from shared.messaging.context import Context

router = APIRouter(prefix="/v1/licence")


class LicenceBody(BaseModel):
    """A brand's licence. A brand that was never given one has nothing, and no `set_at`."""

    brand: str
    extensions: list[str]
    """Everything it covers, sorted."""
    named: list[str]
    """Those of them that were named one by one."""
    plans: list[str]
    set_at: datetime | None = None
    set_by: str | None = None
    """For operators."""


@router.get("", response_model_exclude_none=True)
async def show_licence(
    caller: Caller, context: HasContext, *, brand: Annotated[Id | None, Query()] = None
) -> LicenceBody:
    """Show the licence of the caller's brand; to an operator that of any brand."""
    asked = _for_brand(context, caller, brand or caller.brand)
    async with brand_connection(context, asked) as connection:
        found = await load_licence(connection, asked.brand)
    if found is None:
        return LicenceBody(brand=asked.brand, extensions=[], named=[], plans=[])
    return LicenceBody(
        brand=asked.brand,
        extensions=found.covers,
        named=found.extensions,
        plans=found.plans,
        set_at=found.set_at,
        set_by=found.set_by if sees_all(caller) else None,
    )


def _for_brand(context: Context, caller: Actor, brand: str) -> Actor:
    if brand == caller.brand:
        return caller
    if not (sees_all(caller) and speaks_for(context, caller, brand)):
        raise ApiError("not_allowed", "Only an operator sees the licence of another brand.")
    return replace(caller, brand=brand)
