"""All that the access service answers over HTTP."""

from fastapi import APIRouter, Depends

from services.access.api import accounts, extensions, members, usable
from services.access.api.decisions import decision_routes
from services.access.api.seeing import check_belongs
from services.access.remembering.deciding import Deciding


def access_routes(deciding: Deciding) -> APIRouter:
    router = APIRouter()
    router.include_router(decision_routes(deciding))
    for one in (accounts, usable, members, extensions):
        router.include_router(one.router, dependencies=[Depends(check_belongs)])
    return router
