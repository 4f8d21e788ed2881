"""All that the access service answers over HTTP."""

from fastapi import Depends

from services.access.api import accounts, extensions, members, usable
from services.access.api.decisions import decision_routes
from services.access.api.seeing import check_belongs
from services.access.remembering.deciding import Deciding
from shared.http.at_once import QuickRouter


def access_routes(deciding: Deciding) -> QuickRouter:
    router, decisions = QuickRouter(), decision_routes(deciding)
    router.include_router(decisions)
    router.at_once |= decisions.at_once
    for one in (accounts, usable, members, extensions):
        router.include_router(one.router, dependencies=[Depends(check_belongs)])
    return router
