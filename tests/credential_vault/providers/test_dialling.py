"""Which hosts are connected to at all."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.credential_vault.providers.dialling import (
    AddressRefusedError,
    Dialler,
    UnreachableError,
)


def dialler(*allowed: str) -> Dialler:
    return Dialler(allowed_private_hosts=allowed, lookups=ThreadPoolExecutor(1), connect_seconds=2)


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Return what the resolver is to answer for each name; the last of several is for good."""
    answers: dict[str, list[str]] = {}

    def look_up(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        given = answers[host]
        address = given.pop(0) if len(given) > 1 else given[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in address.split()]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return answers


async def listening() -> tuple[asyncio.Server, int]:
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST"])
async def test_a_private_host_is_refused_unless_it_is_allowed_by_name(host: str) -> None:
    server, port = await listening()
    async with server:
        with pytest.raises(AddressRefusedError, match="not public"):
            await dialler("other").connect(host, port)
        (await dialler("localhost").connect(host, port)).close()


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "::1", "8.8.8.8"])
async def test_an_address_is_refused_even_where_it_is_allowed_or_public(host: str) -> None:
    with pytest.raises(AddressRefusedError, match="write the server's name"):
        await dialler(host).connect(host, 25)


@pytest.mark.parametrize(
    "answer", ["10.0.0.1", "169.254.169.254", "127.0.0.1", "93.184.215.14 10.0.0.1"]
)
async def test_a_public_name_that_leads_to_a_private_address_is_refused(
    lookups: dict[str, list[str]], answer: str
) -> None:
    lookups["rebind.example.com"] = [answer]

    with pytest.raises(AddressRefusedError, match="not public"):
        await dialler().connect("rebind.example.com", 25)


async def test_a_name_is_looked_up_once_and_that_very_address_is_used(
    lookups: dict[str, list[str]],
) -> None:
    """A name that answers with a public address first and a private one next gains nothing."""
    server, port = await listening()
    lookups["allowed.example.com"] = ["127.0.0.1", "127.0.0.2"]
    async with server:
        connected = await dialler("allowed.example.com").connect("allowed.example.com", port)

    with connected:
        assert connected.getpeername() == ("127.0.0.1", port)
    assert lookups["allowed.example.com"] == ["127.0.0.2"]


async def test_the_next_address_of_the_same_answer_is_tried(
    lookups: dict[str, list[str]],
) -> None:
    server, port = await listening()
    lookups["two.example.com"] = ["127.0.0.2 127.0.0.1"]
    async with server:
        (await dialler("two.example.com").connect("two.example.com", port)).close()


async def test_a_name_that_leads_nowhere_is_unreachable() -> None:
    for host in ("nowhere.invalid", "a..b", f"{'x' * 70}.example"):
        with pytest.raises(UnreachableError):
            await dialler().connect(host, 25)
