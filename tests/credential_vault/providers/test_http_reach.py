"""Which server a try speaks to at all: the one that was judged, and that proves who it is."""

import socket

import pytest

from deploy.demo.certificate import Certificate
from services.credential_vault.providers.dialling import Dialler
from tests.credential_vault.providers.conftest import Try
from tests.credential_vault.providers.test_http import API_KEY, KEY, of_key
from tests.credential_vault.web import web_server


async def test_a_certificate_that_nobody_vouches_for_gets_no_key(
    certificate: Certificate, try_probe: Try
) -> None:
    async with web_server(certificate, of_key) as server:
        finding = await try_probe(API_KEY, server.settings, api_key=KEY, root=None)

    assert finding.verdict == "settings_invalid"
    assert "certificate" in finding.said
    assert server.asked == []


async def test_a_certificate_of_another_name_gets_no_key(
    certificate: Certificate, try_probe: Try, dialler: Dialler, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(dialler.allowed_private_hosts, set)
    dialler.allowed_private_hosts.add("api.example.com")

    def look_up(_host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    async with web_server(certificate, of_key) as server:
        finding = await try_probe(
            API_KEY, {**server.settings, "host": "api.example.com"}, api_key=KEY
        )

    assert finding.verdict == "settings_invalid"
    assert "certificate of api.example.com" in finding.said
    assert server.asked == []


async def test_a_server_without_tls_gets_no_key(try_probe: Try) -> None:
    async with web_server(None, of_key) as server:
        finding = await try_probe(API_KEY, server.settings, api_key=KEY)

    assert finding.verdict in {"settings_invalid", "provider_unreachable"}
    assert server.asked == []


async def test_the_name_is_looked_up_once_and_that_very_address_is_used(
    certificate: Certificate, try_probe: Try, dialler: Dialler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second answer of the resolver leads to a server that should never be asked."""
    assert isinstance(dialler.allowed_private_hosts, set)
    dialler.allowed_private_hosts.add("localhost")
    answers = ["127.0.0.1", "127.0.0.2", "127.0.0.2"]
    asked_for: list[str] = []

    def look_up(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked_for.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    async with web_server(certificate, of_key) as server:
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        finding = await try_probe(API_KEY, server.settings, api_key=KEY)

    assert finding.verdict == "accepted"
    assert asked_for == ["localhost"]
    assert server.asked[0].headers["host"] == f"localhost:{server.port}"


@pytest.mark.parametrize(
    ("settings", "rules", "says"),
    [
        ({"host": "api.example.com"}, ("api.example.net",), "not on the list"),
        ({"host": "127.0.0.1"}, (), "IP address"),
        ({"host": "169.254.169.254"}, (), "IP address"),
        ({"host": "internal"}, (), "reserved"),
        ({"host": "api.example.com", "port": "8443"}, ("{host}",), "not for port 8443"),
        ({"host": "evil.net/"}, ("*.example.com",), "not on the list"),
        ({"host": "x@evil.net"}, ("*.example.com",), "user name or a password"),
    ],
)
async def test_what_the_account_may_not_reach_is_not_asked(
    try_probe: Try, settings: dict[str, str], rules: tuple[str, ...], says: str
) -> None:
    finding = await try_probe(API_KEY, settings, *rules, api_key=KEY)

    assert finding.verdict == "address_refused"
    assert says in finding.said


async def test_a_public_name_with_a_private_address_is_refused(
    try_probe: Try, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(_host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    finding = await try_probe(API_KEY, {"host": "api.example.com"}, api_key=KEY)

    assert finding.verdict == "address_refused"
    assert "not public" in finding.said
