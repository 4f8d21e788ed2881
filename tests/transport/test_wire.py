"""What a server takes from the wire: no more than it can hold, and one meaning of each request."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from shared.http.server import build_app, listen, serve
from shared.settings import HttpSettings
from shared.telemetry.health import Health
from tests.transport.running import Given

MOST = 4 * 1024 * 1024
PIECE = b"x" * 4000


def routes() -> APIRouter:
    router = APIRouter()

    @router.api_route("/echo", methods=["GET", "POST"])
    async def echo(request: Request) -> PlainTextResponse:
        body = await request.body()
        late = request.headers.get("x-late", "")
        return PlainTextResponse(late.encode() or body or b"nothing")

    return router


@asynccontextmanager
async def serving(given: Given) -> AsyncGenerator[int]:
    """Serve on a port of its own."""
    http, stop = HttpSettings(port=0), asyncio.Event()
    listener = listen(http)
    app = build_app(given.context, Health(), [routes()])
    server = asyncio.create_task(serve(app, http, listener, stop))
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        await server
        listener.close()


@pytest.fixture
async def port(given: Given) -> AsyncIterator[int]:
    async with serving(given) as port:
        yield port


async def ask(port: int, sent: bytes) -> bytes:
    """Send that, and return all that is answered until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        return await reader.read()
    finally:
        writer.close()


async def sent_until_closed(port: int, first: bytes, again: bytes) -> int:
    """Send the one and then the other on and on; return how much was sent until it was closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = len(first)
    closed = asyncio.create_task(reader.read())
    try:
        writer.write(first)
        while not closed.done() and sent < MOST:
            writer.write(again)
            sent += len(again)
            await writer.drain()
            # What the server says of it is heard between two pieces.
            await asyncio.sleep(0)
    except ConnectionError:
        return sent
    finally:
        closed.cancel()
        writer.close()
    return sent


POST = b"POST /echo HTTP/1.1\r\nHost: h\r\n"
CLOSE = b"Connection: close\r\n"


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"GET /", PIECE),
        (b"GET /echo HTTP/1.1\r\nHost: h\r\nX-Long: ", PIECE),
        (b"GET /echo HTTP/1.1\r\nHost: h\r\nX-", PIECE),
        (b"GET /echo HTTP/1.1\r\nHost: h\r\n", b"X-Many: y\r\n" * 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1;x=", PIECE),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", b"X-Many: y\r\n" * 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Long: ", PIECE),
    ],
    ids=["path", "value", "name", "headers", "extension", "trailers", "trailer"],
)
async def test_what_never_ends_is_ended(port: int, first: bytes, again: bytes) -> None:
    assert await sent_until_closed(port, first, again) < MOST


async def test_a_head_of_some_size_is_taken(port: int) -> None:
    head = b"GET /echo HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + b"t" * 9000 + b"\r\n"

    answer = await ask(port, head + CLOSE + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_body_may_come_in_very_small_parts(port: int) -> None:
    parts = b"".join(b"1\r\n%c\r\n" % (97 + number % 26) for number in range(30_000))
    head = POST + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n"

    answer = await ask(port, head + parts + b"0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert len(answer.partition(b"\r\n\r\n")[2]) == 30_000


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: +1\r\n\r\na",
        b"Transfer-Encoding: chunked, gzip\r\n\r\n1\r\na\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nx\r\na\r\n0\r\n\r\n",
        b"No-Colon\r\n\r\n",
        b"Spaced : x\r\n\r\n",
        b"X-Zero: a\x00b\r\n\r\n",
    ],
)
async def test_what_has_two_meanings_or_none_has_no_answer(port: int, lines: bytes) -> None:
    answer = await ask(port, POST + CLOSE + lines)

    assert not answer.startswith(b"HTTP/1.1 2"), answer


async def test_what_stands_behind_a_body_is_no_header(port: int) -> None:
    parts = b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Late: late\r\n\r\n"

    answer = await ask(port, POST + CLOSE + parts)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\na")


async def test_a_length_beside_parts_does_not_hide_a_second_request(port: int) -> None:
    """Who reads the length sees one request; who reads the parts sees another behind it."""
    hidden = b"GET /echo HTTP/1.1\r\nHost: hidden\r\n\r\n"
    sent = POST + b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n0\r\n\r\n"

    answer = await ask(port, sent % (5 + len(hidden)) + hidden)

    assert answer.count(b"HTTP/1.1 200") <= 1
