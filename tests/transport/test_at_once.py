"""Answers at once are those of the route, which is asked for everything else."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Request, Response
from prometheus_client import REGISTRY
from starlette.types import Message, Receive, Scope, Send

from shared.http.at_once import AnswersAtOnce, QuickRouter
from shared.http.errors import ApiError
from shared.http.limits import MAX_BODY_BYTES
from shared.http.server import build_app
from shared.telemetry.health import Health
from tests.transport.running import Given

PATH = "/v1/echo"
BIG = b"x" * 70_000
STRANGER = b"Bearer stranger"


def routes() -> QuickRouter:
    """Return a route that says what it was sent, and answers at once unless that begins with x."""
    router = QuickRouter()

    @router.post(PATH)
    async def echo(request: Request) -> Response:
        body = await request.body()
        if body == b"x wrong":
            raise ApiError("invalid", "That is wrong.")
        return Response(b'"route %d"' % len(body), media_type="application/json")

    @router.get(PATH)
    async def show() -> str:
        return "shown"

    def answer_at_once(authorization: bytes) -> Callable[[bytes], bytes | None] | None:
        def answer(body: bytes) -> bytes | None:
            return None if body.startswith(b"x") else b'"at once %b %b"' % (authorization, body)

        return None if authorization == STRANGER else answer

    router.at_once[PATH] = answer_at_once
    return router


@pytest.fixture
async def asking(given: Given) -> AsyncGenerator[httpx.AsyncClient]:
    app = build_app(given.context, Health(), [APIRouter(), routes()])
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def in_parts(*parts: bytes) -> AsyncGenerator[bytes]:
    for one in parts:
        yield one


def counted(route: str, status: int) -> tuple[float, float]:
    labels = {"route": route, "status": str(status)}
    seconds = {"route": route}
    found = (
        REGISTRY.get_sample_value("keyturn_http_requests_total", labels),
        REGISTRY.get_sample_value("keyturn_http_request_seconds_count", seconds),
    )
    return found[0] or 0.0, found[1] or 0.0


@pytest.fixture
def count() -> Any:
    """Return how many requests were counted since: all with a status, and all with a duration."""

    def since(status: int) -> tuple[float, float]:
        now = counted(PATH, status)
        return now[0] - before[status][0], now[1] - before[status][1]

    before = {status: counted(PATH, status) for status in (200, 413, 422)}
    return since


async def test_what_is_there_is_answered_at_once_as_a_route_would(
    asking: httpx.AsyncClient, count: Any
) -> None:
    quick = await asking.post(PATH, content=b"a", headers={"Authorization": "Bearer t"})
    slow = await asking.post(PATH, content=b"xa")

    assert quick.json() == "at once Bearer t a"
    assert slow.json() == "route 2"
    assert quick.headers.keys() == slow.headers.keys()
    for name in ("content-type", "cache-control"):
        assert quick.headers[name] == slow.headers[name]
    assert count(200) == (2, 2)


@pytest.mark.parametrize("parts", [(b"x", b"yz"), (BIG, BIG), (b"", b"x", b"")])
async def test_a_body_that_comes_in_parts_is_taken_together(
    asking: httpx.AsyncClient, parts: tuple[bytes, ...]
) -> None:
    whole = b"".join(parts)
    slow = await asking.post(PATH, content=in_parts(*parts))
    quick = await asking.post(PATH, content=in_parts(b"a", *parts))

    assert slow.json() == f"route {len(whole)}"
    assert quick.json() == f"at once  a{whole.decode()}"


async def test_a_route_says_what_is_wrong(asking: httpx.AsyncClient, count: Any) -> None:
    answer = await asking.post(PATH, content=b"x wrong")

    assert (answer.status_code, answer.json()["error"]) == (422, "invalid")
    assert count(422)[0] == 1


@pytest.mark.parametrize("first", [b"a", b"x"])
@pytest.mark.parametrize("is_told", [True, False])
async def test_nothing_is_answered_to_more_than_may_be_sent(
    asking: httpx.AsyncClient, count: Any, first: bytes, *, is_told: bool
) -> None:
    sent = first * (MAX_BODY_BYTES + 1)
    content = sent if is_told else in_parts(sent[:-1], sent[-1:])
    answer = await asking.post(PATH, content=content)

    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    assert count(413)[0] == 1


async def test_other_methods_and_paths_are_the_framework_s(asking: httpx.AsyncClient) -> None:
    assert (await asking.get(PATH)).json() == "shown"
    assert (await asking.put(PATH, content=b"a")).status_code == 405
    assert (await asking.post(f"{PATH}/", content=b"x")).status_code in {307, 404}
    assert (await asking.post("/v1/other", content=b"a")).status_code == 404


async def test_nothing_is_read_of_what_somebody_sends_whom_nobody_knows() -> None:
    """What they send is the route's to read, or not."""
    read: list[Message] = []
    headers = [(b"authorization", STRANGER), (b"content-length", b"2")]
    scope = {"type": "http", "method": "POST", "path": PATH, "headers": headers}

    async def unread(_scope: Scope, _receive: Receive, _send: Send) -> None:
        return

    async def receive() -> Message:
        read.append({"type": "http.request", "body": b"a", "more_body": True})
        return read[-1]

    async def send(_message: Message) -> None:
        return

    await AnswersAtOnce(unread, routes().at_once)(scope, receive, send)

    assert read == []
