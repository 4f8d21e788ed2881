"""All that the access service answers over HTTP."""

from fastapi import APIRouter

from shared.messaging.context import Context


def access_routes(_context: Context) -> APIRouter:
    return APIRouter()
