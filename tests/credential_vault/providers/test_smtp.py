"""Logging in to a real mail server, and to ones that misbehave."""

import base64
import socket
from collections.abc import Sequence

import pytest

from deploy.demo.certificate import Certificate
from services.credential_vault.providers.dialling import Dialler
from services.credential_vault.rules.trial import Verdict
from tests.credential_vault.mail import MailServer, mail_server, scripted_server
from tests.credential_vault.providers.conftest import Try

EHLO = b"250-localhost\r\n250 AUTH PLAIN LOGIN\r\n"


@pytest.mark.parametrize("implicit_tls", [False, True])
async def test_a_right_password_is_accepted_after_tls(
    certificate: Certificate, try_login: Try, *, implicit_tls: bool
) -> None:
    async with mail_server(certificate, implicit_tls=implicit_tls) as server:
        server.passwords.add("right")

        finding = await try_login(server.port, security="tls" if implicit_tls else "starttls")

    assert finding.verdict == "accepted"
    assert server.logins == [("right", True)]


async def test_a_server_that_offers_login_alone_is_understood(
    certificate: Certificate, try_login: Try
) -> None:
    async with mail_server(certificate, auth_exclude_mechanism=["PLAIN"]) as server:
        server.passwords.add("right")

        assert (await try_login(server.port)).verdict == "accepted"
        assert (await try_login(server.port, "wrong")).verdict == "credentials_refused"


async def test_a_wrong_password_is_refused_with_the_answer_and_tried_once(
    certificate: Certificate, try_login: Try
) -> None:
    """A server may count failed logins, and lock the user out."""
    async with mail_server(certificate) as server:
        finding = await try_login(server.port, "hunter2-canary")

        assert finding.verdict == "credentials_refused"
        assert finding.said.startswith(f"localhost:{server.port} answered 535")
        assert "hunter2" not in finding.said
        assert server.logins == [("hunter2-canary", False)]


async def test_a_password_of_any_characters_arrives_as_it_is(
    certificate: Certificate, try_login: Try
) -> None:
    async with mail_server(certificate) as server:
        server.passwords.add("pä ss\tw{host}ö\u20ac")

        assert (await try_login(server.port, "pä ss\tw{host}ö\u20ac")).verdict == "accepted"


async def test_a_certificate_that_nobody_vouches_for_is_refused_and_nothing_is_sent(
    certificate: Certificate, try_login: Try
) -> None:
    for implicit_tls in (False, True):
        async with mail_server(certificate, implicit_tls=implicit_tls) as server:
            security = "tls" if implicit_tls else "starttls"
            finding = await try_login(server.port, security=security, root=None)

        assert finding.verdict == "settings_invalid"
        assert "certificate" in finding.said
        assert server.logins == []


async def test_a_certificate_of_another_name_is_refused(
    certificate: Certificate, try_login: Try, dialler: Dialler
) -> None:
    assert isinstance(dialler.allowed_private_hosts, set)
    name = "ip6-localhost.test"
    dialler.allowed_private_hosts.add(name)
    async with mail_server(certificate) as server:
        with _resolved_to_loopback(name):
            finding = await try_login(server.port, host=name)

    assert finding.verdict == "settings_invalid"
    assert "certificate" in finding.said
    assert server.logins == []


class _resolved_to_loopback:  # noqa: N801  reads as a phrase
    """The resolver's answer for one name, as the operating system's `hosts` file would give it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> None:
        real = socket.getaddrinfo

        def look_up(host: str, *rest: object, **more: object) -> object:
            known = "127.0.0.1" if host == self._name else host
            return real(known, *rest, **more)  # pyright: ignore[reportArgumentType]  passed on as it came

        self._patch.setattr(socket, "getaddrinfo", look_up)

    def __exit__(self, *_: object) -> None:
        self._patch.undo()


async def test_a_server_without_starttls_gets_no_password(try_login: Try) -> None:
    received: list[bytes] = []
    async with scripted_server(None, [b"220 hi\r\n", EHLO], received) as port:
        finding = await try_login(port)

    assert (finding.verdict, finding.said) == (
        "settings_invalid",
        f"localhost:{port} does not offer STARTTLS.",
    )
    assert [line.split()[0] for line in received] == [b"EHLO"]


async def test_tls_where_a_server_speaks_in_clear_is_a_wrong_setting(
    certificate: Certificate, try_login: Try
) -> None:
    async with mail_server(certificate) as server:
        finding = await try_login(server.port, security="tls")

    assert finding.verdict == "settings_invalid"
    assert "TLS" in finding.said
    assert server.logins == []


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ([b"220 hi\r\n", EHLO, b"535 5.7.8 no\r\n"], "credentials_refused"),
        ([b"220 hi\r\n", EHLO, b"530 5.7.0 no\r\n"], "settings_invalid"),
        ([b"220 hi\r\n", EHLO, b"534 5.7.9 no\r\n"], "settings_invalid"),
        ([b"220 hi\r\n", EHLO, b"454 4.7.0 later\r\n"], "provider_unreachable"),
        ([b"220 hi\r\n", EHLO, b"421 4.7.0 busy\r\n"], "provider_unreachable"),
        ([b"220 hi\r\n", EHLO, b"235 ok\r\n", b"451 later\r\n"], "provider_unreachable"),
        ([b"421 busy\r\n"], "provider_unreachable"),
        ([b"554 no service\r\n"], "settings_invalid"),
        ([b"220 hi\r\n", b"250 localhost\r\n"], "settings_invalid"),
        ([b"220 hi\r\n", b"250-localhost\r\n250 AUTH CRAM-MD5\r\n"], "settings_invalid"),
        ([b"HTTP/1.1 400 Bad Request\r\n"], "settings_invalid"),
        ([b"220 hi\r\n", EHLO, b"535" + b"-x" * 20000], "settings_invalid"),
    ],
)
async def test_what_a_server_answers_becomes_a_verdict(
    certificate: Certificate, try_login: Try, answers: Sequence[bytes], verdict: Verdict
) -> None:
    async with scripted_server(certificate, answers, []) as port:
        finding = await try_login(port, security="tls")

    assert finding.verdict == verdict, finding.said
    assert len(finding.said) < 300


async def test_an_answer_that_repeats_what_was_sent_is_not_shown(
    certificate: Certificate, try_login: Try
) -> None:
    password = "correct horse battery"
    sent = base64.b64encode(b"\0keyturn\0" + password.encode())
    for echo in (password.encode(), sent, password.upper().encode(), b"keyturn is unknown"):
        answers = [b"220 hi\r\n", EHLO, b"535 You sent " + echo + b"\r\n"]
        async with scripted_server(certificate, answers, []) as port:
            finding = await try_login(port, password, security="tls")

        assert finding.said == f"localhost:{port} answered 535."


async def test_a_server_that_is_not_there_or_silent_is_unreachable(
    certificate: Certificate, try_login: Try
) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        nobody = await try_login(reserved.getsockname()[1])
    async with scripted_server(None, [], []) as port:
        silent = await try_login(port, seconds=0.2)
    async with scripted_server(certificate, [b"220 hi\r\n"], []) as port:
        stopped = await try_login(port, security="tls", seconds=0.2)

    assert {nobody.verdict, silent.verdict, stopped.verdict} == {"provider_unreachable"}
    assert "in time" in silent.said


async def test_a_server_that_breaks_off_is_unreachable(
    certificate: Certificate, try_login: Try
) -> None:
    async with mail_server(certificate, command_call_limit={"EHLO": 0}) as server:
        finding = await try_login(server.port)

    assert isinstance(server, MailServer)
    assert finding.verdict == "provider_unreachable"
