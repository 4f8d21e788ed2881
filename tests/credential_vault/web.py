"""A real HTTPS server for tests, which answers as a provider's documentation says it does."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import h11

from deploy.demo.certificate import Certificate
from tests.credential_vault.mail import server_context


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    """By their names in small letters."""
    content: bytes

    @property
    def form(self) -> dict[str, str]:
        assert self.headers["content-type"] == "application/x-www-form-urlencoded"
        return dict(parse_qsl(self.content.decode(), keep_blank_values=True, strict_parsing=True))

    @property
    def basic(self) -> tuple[str, str] | None:
        """Return the user and the password of HTTP Basic, as they stand there."""
        kind, _, encoded = self.headers.get("authorization", "").partition(" ")
        if kind != "Basic":
            return None
        user, _, password = base64.b64decode(encoded).decode().partition(":")
        return user, password

    @property
    def bearer(self) -> str | None:
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token if kind == "Bearer" else None


Answer = bytes | None
"""What is sent, byte by byte; of None nothing, and the connection stays open."""
Handler = Callable[[Asked], Answer]


def reply(status: int = 200, content: Any = b"", **headers: str) -> bytes:
    """Return an answer; what is no bytes is sent as JSON. `_` in a header's name is a hyphen."""
    is_json = not isinstance(content, bytes)
    body = json.dumps(content).encode() if is_json else content
    all_headers = {
        "content-type": "application/json" if is_json else "text/html",
        "content-length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {one}" for name, one in all_headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class WebServer:
    port: int = 0
    handler: Handler = lambda _: reply(404)
    asked: list[Asked] = field(default_factory=list[Asked])
    drip: bytes = b""
    """Sent behind an answer again and again, for as long as anybody listens."""

    @property
    def settings(self) -> dict[str, str]:
        return {"host": "localhost", "port": str(self.port)}

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = await _read(reader)
            self.asked.append(asked)
            answer = self.handler(asked)
            if answer is not None:
                writer.write(answer)
                await writer.drain()
                while self.drip and not writer.is_closing():
                    writer.write(self.drip)
                    await writer.drain()
                    await asyncio.sleep(0)
            else:
                await reader.read()
        except (ConnectionError, h11.RemoteProtocolError):
            pass
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked:
    protocol = h11.Connection(h11.SERVER)
    head: h11.Request | None = None
    content = b""
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            protocol.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            content += event.data
        elif head is not None and isinstance(event, h11.EndOfMessage):
            headers = {name.decode(): value.decode() for name, value in head.headers}
            assert len(headers) == len(list(head.headers)), "a header came twice"
            return Asked(head.method.decode(), head.target.decode(), headers, content)
        else:
            raise ConnectionError


@asynccontextmanager
async def web_server(
    certificate: Certificate | None, handler: Handler
) -> AsyncGenerator[WebServer]:
    """Run a server on a free port of 127.0.0.1; without a certificate it speaks in clear."""
    running = WebServer(handler=handler)
    context = None if certificate is None else server_context(certificate)
    server = await asyncio.start_server(running.converse, "127.0.0.1", 0, ssl=context)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        await server.wait_closed()
