"""One request over TLS to an address that was judged, and its answer: no redirect is followed."""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import h11

from services.credential_vault.providers.dialling import (
    AddressRefusedError,
    Dialler,
    UnreachableError,
)
from services.credential_vault.providers.finding import FoundError
from services.credential_vault.providers.trouble import broken_off, explain
from services.credential_vault.rules.addresses import Address

_HTTPS = 443
_MOST_CONTENT = 256 * 1024
"""How many bytes of an answer's content are read; what is longer is judged by its status alone."""
_MOST_AT_ONCE = 64 * 1024
_MOST_HEAD = 64 * 1024
"""How many bytes the status and headers of an answer may have: some send long policies in them."""
_OWN_NAME = "Keyturn"

Header = tuple[str, str]

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The name of a header (RFC 9110, section 5.6.2)."""
FRAMING = frozenset(
    {
        *("accept-encoding", "connection", "content-encoding", "content-length", "expect", "host"),
        *("keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    }
)
"""Headers that say where a request goes and where it ends: those are ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked, filled in and judged. What may be secret in it does not print."""

    method: str
    address: Address
    target: str
    """Path and query, percent-encoded."""
    headers: tuple[Header, ...] = field(repr=False)
    """None of `FRAMING`, each name once, in printable ASCII."""
    content: bytes | None = field(default=None, repr=False)

    @property
    def where(self) -> str:
        return named(self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. Its content may repeat a secret, or be one."""

    status: int
    content: bytes = field(repr=False)
    is_whole: bool = True
    """Whether the content is all there is of it."""
    media_type: str = ""


def named(address: Address) -> str:
    """Return an HTTPS address for people."""
    return address.host if address.port == _HTTPS else str(address)


async def ask(request: Request, dialler: Dialler, context: ssl.SSLContext) -> Answer:
    """Send a request and return its answer, or raise `FoundError`; bounded in size, not in time."""
    where = request.where
    try:
        connected = await dialler.connect(*request.address)
        async with _encrypted(connected, request.address.host, context) as (reader, writer):
            return await _converse(request, reader, writer)
    except AddressRefusedError as error:
        raise FoundError("address_refused", str(error)) from None
    except UnreachableError as error:
        raise FoundError("provider_unreachable", str(error)) from None
    except OSError as error:
        raise FoundError.of(explain(error, where, no_tls=f"{where} does not speak TLS.")) from None


@asynccontextmanager
async def _encrypted(
    connected: socket.socket, host: str, context: ssl.SSLContext
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Speak TLS on a connection with the host that its name was looked up for."""
    try:
        reader, writer = await asyncio.open_connection(
            sock=connected, ssl=context, server_hostname=host
        )
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
    finally:
        # Its transport owns the descriptor and closes it; that the connection ends, it may not see.
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)


async def _converse(
    request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Answer:
    protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEAD)
    sent = [protocol.send(_head(request))]
    if request.content:
        sent.append(protocol.send(h11.Data(data=request.content)))
    sent.append(protocol.send(h11.EndOfMessage()))
    writer.write(b"".join(one for one in sent if one))
    await writer.drain()
    try:
        return await _read(protocol, reader)
    except h11.RemoteProtocolError:
        if reader.at_eof():
            raise FoundError.of(broken_off(request.where)) from None
        raise FoundError("settings_invalid", f"{request.where} does not speak HTTP.") from None


async def _read(protocol: h11.Connection, reader: asyncio.StreamReader) -> Answer:
    head: h11.Response | None = None
    content = bytearray()
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            protocol.receive_data(await reader.read(_MOST_AT_ONCE))
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            content += event.data
        elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
            raise h11.RemoteProtocolError("It went on after its answer, or ended before.")
        is_too_long = len(content) > _MOST_CONTENT
        if head is not None and (is_too_long or isinstance(event, h11.EndOfMessage)):
            return Answer(
                status=head.status_code,
                content=b"" if is_too_long else bytes(content),
                is_whole=not is_too_long,
                media_type=_media_type(head),
            )


def _head(request: Request) -> h11.Request:
    given = {name.lower() for name, _ in request.headers}
    ours = [("Host", named(request.address)), ("Connection", "close")]
    # An answer that is packed could unpack into anything.
    ours.append(("Accept-Encoding", "identity"))
    if request.content is not None or request.method == "POST":
        ours.append(("Content-Length", str(len(request.content or b""))))
    for name, value in (("User-Agent", _OWN_NAME), ("Accept", "application/json, */*;q=0.5")):
        if name.lower() not in given:
            ours.append((name, value))
    return h11.Request(
        method=request.method, target=request.target, headers=[*ours, *request.headers]
    )


def _media_type(head: h11.Response) -> str:
    for name, value in head.headers:
        if name == b"content-type":
            return value.decode("latin-1").partition(";")[0].strip().lower()
    return ""
