"""What every request goes through: a bound on its size, and a count of what came of it."""

from time import monotonic
from typing import Any

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.telemetry import metrics

MAX_BODY_BYTES = 1024 * 1024
_UNKNOWN = "unknown"


class Limits:
    """Refuses a body of more than 1 MiB, forbids caches, and counts by route, never by address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = monotonic()
        status = 500
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > MAX_BODY_BYTES:
                # Not an ApiError: FastAPI makes a 400 of anything else raised while it reads.
                raise HTTPException(413, f"A request has at most {MAX_BODY_BYTES} bytes.")
            return message

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                names = {name.lower() for name, _ in message["headers"]}
                if b"cache-control" not in names:
                    message["headers"] = [*message["headers"], (b"cache-control", b"no-store")]
            await send(message)

        try:
            await self._app(scope, limited, counted)
        finally:
            route = _route_of(scope)
            metrics.REQUESTS.labels(route=route, status=str(status)).inc()
            metrics.REQUEST_SECONDS.labels(route=route).observe(monotonic() - began)


def _route_of(scope: Scope) -> str:
    route: Any = scope.get("route")
    return getattr(route, "path", _UNKNOWN)
