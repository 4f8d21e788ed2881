"""Trying credentials at real HTTPS servers, which behave as providers' documentation says."""

import json

import pytest

from deploy.demo.certificate import Certificate
from services.credential_vault.rules.trial import Verdict
from tests.credential_vault.probing import http
from tests.credential_vault.providers.conftest import Try
from tests.credential_vault.web import Asked, reply, web_server

KEY = "canary-7d3f9b1e-Kx/+"
API_KEY = http("/v1/me", headers={"x-api-key": "{api_key}"}, rules=[{"path": "id", "op": "exists"}])


def of_key(asked: Asked) -> bytes:
    if asked.headers.get("x-api-key") != KEY:
        return reply(401, {"message": "No such key."})
    return reply(200, {"id": 7, "name": "Ada's key"})


async def test_an_api_key_is_accepted_or_refused_as_the_provider_says(
    certificate: Certificate, try_probe: Try
) -> None:
    probe = API_KEY.model_copy(update={"label_path": "name"})
    async with web_server(certificate, of_key) as server:
        right = await try_probe(probe, server.settings, api_key=KEY)
        wrong = await try_probe(probe, server.settings, api_key="another")

    where = f"localhost:{server.port}"
    assert right.verdict == "accepted"
    assert right.said == f"{where} accepted the credentials of Ada's key."
    assert wrong.verdict == "credentials_refused"
    assert wrong.said == (f"{where} answered 401: No such key. The credentials are not accepted.")
    [first, _] = server.asked
    assert (first.method, first.target) == ("GET", "/v1/me")
    assert first.headers["host"] == where
    assert first.headers["user-agent"] == "Keyturn"


async def test_a_provider_that_answers_200_to_a_dead_token_is_not_believed(
    certificate: Certificate, try_probe: Try
) -> None:
    """As `auth.test` of Slack."""

    def auth_test(asked: Asked) -> bytes:
        assert (asked.method, asked.headers["content-length"]) == ("POST", "0")
        if asked.bearer == KEY:
            return reply(200, {"ok": True, "user": "keyturn-bot"})
        if asked.bearer == "xoxb-0":
            return reply(200, {"ok": False, "error": "token_revoked"})
        return reply(200, {"ok": False, "error": "team_access_not_granted"})

    probe = http(
        "/api/auth.test",
        method="POST",
        headers={"Authorization": "Bearer {api_key}"},
        rules=[{"path": "ok", "op": "eq", "value": True}],
        failures=[{"path": "error", "value": "token_revoked", "verdict": "credential_dead"}],
    )
    async with web_server(certificate, auth_test) as server:
        right = await try_probe(probe, server.settings, api_key=KEY)
        dead = await try_probe(probe, server.settings, api_key="xoxb-0")
        other = await try_probe(probe, server.settings, api_key="xoxb")

    assert right.verdict == "accepted"
    assert dead.verdict == other.verdict == "credentials_refused"
    assert "token_revoked. The credentials are not accepted" in dead.said
    assert "team_access_not_granted. That does not show" in other.said


async def test_an_answer_to_anybody_is_no_proof(certificate: Certificate, try_probe: Try) -> None:
    """As `users/me` of Zendesk, which knows nobody for an anonymous user."""

    def users_me(asked: Asked) -> bytes:
        known = asked.basic == ("ada@example.com/token", KEY)
        return reply(200, {"user": {"id": 42 if known else None}})

    probe = http(
        "/api/v2/users/me.json",
        basic={"username": "{username}/token", "password": "{password}"},
        rules=[
            {"path": "user.id", "op": "exists"},
            {"path": "user.id", "op": "ne", "value": None},
        ],
        failures=[{"path": "user.id", "value": None, "verdict": "credential_dead"}],
    )
    given = {"username": "ada@example.com", "password": KEY}
    async with web_server(certificate, users_me) as server:
        right = await try_probe(probe, server.settings, **given)
        wrong = await try_probe(probe, server.settings, **{**given, "password": "wrong"})

    assert right.verdict == "accepted"
    assert wrong.verdict == "credentials_refused"


@pytest.mark.parametrize(
    ("status", "verdict", "says"),
    [
        (204, "credentials_refused", "does not show"),
        (301, "settings_invalid", "no redirect is followed"),
        (302, "settings_invalid", "no redirect is followed"),
        (400, "credentials_refused", "does not show"),
        (401, "credentials_refused", "are not accepted"),
        (403, "credentials_refused", "lack a right"),
        (404, "settings_invalid", "not there"),
        (408, "provider_unreachable", "later"),
        (429, "provider_unreachable", "later"),
        (500, "provider_unreachable", "later"),
        (503, "provider_unreachable", "later"),
    ],
)
async def test_what_a_status_means_where_the_manifest_says_nothing(
    certificate: Certificate, try_probe: Try, status: int, verdict: Verdict, says: str
) -> None:
    async with web_server(certificate, lambda _: reply(status)) as server:
        finding = await try_probe(API_KEY, server.settings, api_key=KEY)

    assert finding.verdict == verdict
    assert f"answered {status}" in finding.said
    assert says in finding.said


@pytest.mark.parametrize(
    ("meaning", "verdict"),
    [
        ("credential_dead", "credentials_refused"),
        ("alive_but_denied", "credentials_refused"),
        ("consent_needed", "credentials_refused"),
        ("settings_wrong", "settings_invalid"),
        ("transient", "provider_unreachable"),
        ("unknown", "credentials_refused"),
    ],
)
async def test_the_manifest_says_what_an_answer_means(
    certificate: Certificate, try_probe: Try, meaning: str, verdict: Verdict
) -> None:
    probe = http("/", headers={"x": "{api_key}"}, failures=[{"status": 418, "verdict": meaning}])
    async with web_server(certificate, lambda _: reply(418)) as server:
        assert (await try_probe(probe, server.settings, api_key=KEY)).verdict == verdict


async def test_no_redirect_is_followed(certificate: Certificate, try_probe: Try) -> None:
    async with (
        web_server(certificate, of_key) as other,
        web_server(
            certificate, lambda _: reply(307, location=f"https://localhost:{other.port}/v1/me")
        ) as server,
    ):
        finding = await try_probe(API_KEY, server.settings, api_key=KEY)

    assert finding.verdict == "settings_invalid"
    assert other.asked == []


async def test_a_status_may_be_all_there_is_to_an_answer(
    certificate: Certificate, try_probe: Try
) -> None:
    head = http("/", method="HEAD", headers={"x": "{api_key}"}, statuses=[204])
    without_end = b"HTTP/1.0 200 OK\r\n\r\nall of it"
    async with web_server(certificate, lambda _: reply(204)) as server:
        assert (await try_probe(head, server.settings, api_key=KEY)).verdict == "accepted"
        server.handler = lambda _: without_end
        finding = await try_probe(
            head.model_copy(update={"method": "GET", "statuses": (200,)}),
            server.settings,
            api_key=KEY,
        )

    assert finding.verdict == "accepted"


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"<html>Welcome</html>", "text/html"),
        (b"id=7", "application/x-www-form-urlencoded"),
        (b"", "application/json"),
        (b"\xff\xfe\x00", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"id": ' + b"9" * 5000 + b"}", "application/json"),
    ],
)
async def test_what_is_no_json_holds_no_rule(
    certificate: Certificate, try_probe: Try, content: bytes, media_type: str
) -> None:
    answer = reply(200, content, content_type=media_type)
    async with web_server(certificate, lambda _: answer) as server:
        finding = await try_probe(API_KEY, server.settings, api_key=KEY)

    assert finding.verdict == "credentials_refused"
    assert ("not JSON" in finding.said) == bool(content)


async def test_json_counts_whatever_it_calls_itself(
    certificate: Certificate, try_probe: Try
) -> None:
    answer = reply(200, b'{"id": 7}', content_type="text/javascript; charset=utf-8")
    async with web_server(certificate, lambda _: answer) as server:
        assert (await try_probe(API_KEY, server.settings, api_key=KEY)).verdict == "accepted"


async def test_a_huge_answer_is_read_to_a_limit_and_judged_by_its_status(
    certificate: Certificate, try_probe: Try
) -> None:
    """The server means to send far more than anybody should take."""
    length = 10**12
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n".encode()
    huge = head + json.dumps({"id": "x" * 1_000_000}).encode()
    plain = http("/", headers={"x": "{api_key}"})
    async with web_server(certificate, lambda _: huge) as server:
        by_status = await try_probe(plain, server.settings, api_key=KEY)
        by_rule = await try_probe(API_KEY, server.settings, api_key=KEY)

    assert by_status.verdict == "accepted"
    assert by_rule.verdict == "credentials_refused"
    assert "more than is read" in by_rule.said


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 2000 What\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
        b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_not_http_is_a_wrong_setting(
    certificate: Certificate, try_probe: Try, answer: bytes
) -> None:
    async with web_server(certificate, lambda _: answer + b"x" * 200_000) as server:
        finding = await try_probe(API_KEY, server.settings, api_key=KEY)

    assert finding.verdict == "settings_invalid"
    assert "does not speak HTTP" in finding.said


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}",
    ],
)
async def test_a_server_that_breaks_off_is_unreachable(
    certificate: Certificate, try_probe: Try, answer: bytes
) -> None:
    async with web_server(certificate, lambda _: answer) as server:
        finding = await try_probe(API_KEY, server.settings, api_key=KEY)

    assert finding.verdict == "provider_unreachable"


async def test_a_server_that_says_nothing_is_unreachable(
    certificate: Certificate, try_probe: Try
) -> None:
    async with web_server(certificate, lambda _: None) as server:
        finding = await try_probe(API_KEY, server.settings, api_key=KEY, seconds=0.2)

    assert finding.verdict == "provider_unreachable"
    assert finding.said == f"localhost:{server.port} did not answer in time."


async def test_an_answer_that_never_ends_does_not_keep_anybody(
    certificate: Certificate, try_probe: Try
) -> None:
    """It has no length and arrives in small parts: in its head, of a hint, and of the content."""
    async with web_server(certificate, lambda _: b"HTTP/1.1 200 OK\r\n\r\n") as server:
        server.drip = b" "
        of_content = await try_probe(API_KEY, server.settings, api_key=KEY, seconds=1)
        server.handler, server.drip = (lambda _: b"HTTP/1.1 200 OK\r\n"), b"a: b\r\n"
        of_head = await try_probe(API_KEY, server.settings, api_key=KEY, seconds=1)
        server.handler, server.drip = (lambda _: b""), b"HTTP/1.1 103 Hint\r\n\r\n"
        of_hints = await try_probe(API_KEY, server.settings, api_key=KEY, seconds=1)

    for finding in (of_content, of_head, of_hints):
        assert finding.verdict != "accepted"
