"""Answers that are there before anything is awaited: they need no framework to be given.

To somebody who asks thousands of times a second the framework's way costs several times what it
costs to find an answer that is remembered.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import cast

from fastapi import APIRouter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.limits import MAX_BODY_BYTES
from shared.telemetry import metrics

Answer = Callable[[bytes], bytes | None]
"""Given a body, return the JSON of an answer that is right (200), or None: then the route is asked,
and says what is wrong. It must not wait."""
AtOnce = Callable[[bytes], Answer | None]
"""Given `Authorization`, empty where there is none, return how that caller is answered. None: it is
nobody who is known, and no body is read before the route knows them."""


class QuickRouter(APIRouter):
    """Routes, of which some have answers that are there at once."""

    def __init__(self) -> None:
        super().__init__()
        self.at_once: dict[str, AtOnce] = {}
        """By the path that is posted to, without parameters."""


class AnswersAtOnce:
    """Gives such answers; whatever else is asked goes on as if this was not here."""

    def __init__(self, app: ASGIApp, answers: Mapping[str, AtOnce]) -> None:
        self._app = app
        self._answers = {path: _Counted(path, one) for path, one in answers.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        counted = self._answers.get(scope["path"]) if scope["type"] == "http" else None
        if counted is None or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        began = monotonic()
        answer_to = counted.at_once(_authorization(scope))
        if answer_to is None:
            await self._app(scope, receive, send)
            return
        messages = await _receive_all(receive)
        body = _whole_body(messages)
        answer = answer_to(body) if body is not None else None
        if answer is None:
            await self._app(scope, _again(messages, receive), send)
            return
        counted.count(monotonic() - began)
        headers = [*_HEADERS, (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


class _Counted:
    """Answers that are counted as their route counts."""

    def __init__(self, path: str, at_once: AtOnce) -> None:
        self.at_once = at_once
        self._requests = metrics.REQUESTS.labels(route=path, status="200")
        self._seconds = metrics.REQUEST_SECONDS.labels(route=path)

    def count(self, seconds: float) -> None:
        self._requests.inc()
        self._seconds.observe(seconds)


_HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


def _authorization(scope: Scope) -> bytes:
    for name, value in cast("list[tuple[bytes, bytes]]", scope["headers"]):
        if name == b"authorization":
            return value
    return b""


async def _receive_all(receive: Receive) -> list[Message]:
    """Return what is sent, or the beginning of it that is more than may be sent."""
    messages: list[Message] = []
    left = MAX_BODY_BYTES
    while left >= 0:
        message = await receive()
        messages.append(message)
        left -= len(message.get("body", b""))
        if not message.get("more_body"):
            break
    return messages


def _whole_body(messages: Sequence[Message]) -> bytes | None:
    """Return what was sent where all of it is there, and it is no more than may be sent."""
    last = messages[-1]
    if last["type"] != "http.request" or last.get("more_body"):
        return None
    body = b"".join([one.get("body", b"") for one in messages])
    return body if len(body) <= MAX_BODY_BYTES else None


def _again(taken: Sequence[Message], receive: Receive) -> Receive:
    """Return what receives the messages that were taken already, and then the others."""
    left = deque(taken)

    async def received() -> Message:
        return left.popleft() if left else await receive()

    return received
