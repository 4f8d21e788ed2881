"""All that the access service answers over HTTP."""

from fastapi import APIRouter

from services.access.api import accounts, decisions, extensions, members, usable
from shared.messaging.context import Context


def access_routes(_context: Context) -> APIRouter:
    router = APIRouter()
    for one in (decisions, accounts, usable, members, extensions):
        router.include_router(one.router)
    return router
