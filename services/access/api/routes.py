"""All that the access service answers over HTTP."""

from fastapi import APIRouter, Depends

from services.access.api import accounts, decisions, extensions, members, usable
from services.access.api.seeing import refuse_engines
from shared.messaging.context import Context


def access_routes(_context: Context) -> APIRouter:
    router = APIRouter()
    router.include_router(decisions.router)
    for one in (accounts, usable, members, extensions):
        router.include_router(one.router, dependencies=[Depends(refuse_engines)])
    return router
