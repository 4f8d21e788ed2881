"""Asks one HTTP server over connections that stay open, at as little cost as can be.

What asks shares the machine with what answers: a client for all purposes would take more of it
than some of the servers do.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import cycle, islice
from time import perf_counter
from typing import NamedTuple, TypeVar

from deploy.local.problems import StackProblem

T = TypeVar("T")

_LIMIT = 8 * 1024 * 1024
_HOST = "127.0.0.1"
_HEARING_SECONDS = 0.002
_GOOD = (b"200", b"201")


class NoAnswerError(StackProblem):
    """A server answered with an error; its text is what it said."""


class Timed(NamedTuple):
    """Answers in the order of what was asked, and how long each took."""

    answers: list[bytes]
    milliseconds: list[float]
    seconds: float
    """From the first to the last."""


class Connection:
    """One that stays open, with one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> None:
        """Connect where it is not open: who was asked nothing for some seconds closes it."""
        if self._streams is not None:
            reader, writer = self._streams
            if not (reader.at_eof() or writer.is_closing()):
                return
            writer.close()
        self._streams = await asyncio.open_connection(_HOST, self._port, limit=_LIMIT)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()

    async def post(self, path: str, body: bytes, token: str | None = None) -> bytes:
        """Return the body of the answer, or raise `NoAnswerError`."""
        await self.open()
        assert self._streams is not None  # noqa: S101  it was opened
        reader, writer = self._streams
        bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {_HOST}:{self._port}\r\n"
            f"Content-Type: application/json\r\n{bearer}Content-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        try:
            answered = await reader.readuntil(b"\r\n\r\n")
            said = await _body(reader, answered.lower())
        # The first is an EOFError, which the command line takes for the end of its own input.
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise NoAnswerError(f"{path} was not answered: the connection was closed.") from error
        status = answered.split(b" ", 2)[1]
        if status not in _GOOD:
            raise NoAnswerError(f"{path} answered {status.decode()}: {said.decode()[:500]}")
        return said


class Server:
    """Some connections to one server."""

    def __init__(self, connections: Sequence[Connection], token: Callable[[], str] | None) -> None:
        self._connections = connections
        self._token = token

    async def post(self, path: str, body: bytes) -> bytes:
        return await self._connections[0].post(path, body, self._token and self._token())

    async def singly(self, path: str, bodies: Sequence[bytes]) -> Timed:
        """Ask one after another: what an answer takes where nothing else is asked."""
        return await self._ask(self._connections[:1], path, bodies)

    async def busily(self, path: str, bodies: Sequence[bytes]) -> Timed:
        """Ask over all connections at once: what can be answered in a second."""
        return await self._ask(self._connections, path, bodies)

    async def _ask(
        self, connections: Sequence[Connection], path: str, bodies: Sequence[bytes]
    ) -> Timed:
        token = self._token and self._token()
        answers = [b""] * len(bodies)
        taken = [0.0] * len(bodies)
        left = iter(enumerate(bodies))

        async def ask(connection: Connection) -> None:
            for number, body in left:
                began = perf_counter()
                answers[number] = await connection.post(path, body, token)
                taken[number] = (perf_counter() - began) * 1000

        # Who was busy with answers has not heard yet which connections were closed meanwhile.
        await asyncio.sleep(_HEARING_SECONDS)
        for one in connections:
            await one.open()
        began = perf_counter()
        await asyncio.gather(*map(ask, connections))
        return Timed(answers, taken, perf_counter() - began)


@asynccontextmanager
async def connected(
    port: int, *, connections: int, token: Callable[[], str] | None = None
) -> AsyncGenerator[Server]:
    """Connect to a server on this machine; `token` makes what is valid for some minutes."""
    opened = [Connection(port) for _ in range(connections)]
    try:
        for one in opened:
            await one.open()
        yield Server(opened, token)
    finally:
        for one in opened:
            one.close()


def batches(items: Sequence[T], size: int, count: int, first: int) -> list[list[T]]:
    """Return so many batches of that size, from an item on; from the start again where few are."""
    endless = cycle(items)
    some = islice(endless, first % len(items), None)
    return [list(islice(some, size)) for _ in range(count)]


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if b"transfer-encoding: chunked" in head:
        parts: list[bytes] = []
        while length := int(await reader.readline(), 16):
            parts.append(await reader.readexactly(length))
            await reader.readexactly(2)
        await reader.readexactly(2)
        return b"".join(parts)
    _, _, after = head.partition(b"content-length:")
    return await reader.readexactly(int(after.split(b"\r\n", 1)[0]))
