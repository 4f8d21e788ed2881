"""Access tokens from real token endpoints, each of which checks what its grant asks for."""

import base64
import json
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import quote_plus

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from deploy.demo.certificate import Certificate
from services.credential_vault.rules.trial import Verdict
from tests.credential_vault.probing import URL, http
from tests.credential_vault.providers.conftest import Try
from tests.credential_vault.ssh import pem
from tests.credential_vault.web import Answer, Asked, Handler, reply, web_server

SECRET = "s3cr~t with +&=/%:Ü"
ISSUED = "ya29.issued-by-the-provider"
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def provider(judge: Callable[[Asked], bool], **more: Any) -> Handler:
    """Return a provider that gives tokens at `/token` to whom they are due, and takes them."""

    def answer(asked: Asked) -> Answer:
        if asked.target == "/token":
            if not judge(asked):
                return reply(401, {"error": "invalid_client", "error_description": "Unknown."})
            return reply(200, {"access_token": ISSUED, "token_type": "bearer", **more})
        return reply(200, {"id": 1}) if asked.bearer == ISSUED else reply(401)

    return answer


def with_token(**token: Any) -> Any:
    return http(
        "/me",
        headers={"Authorization": "Bearer {access_token}"},
        token={"url": f"{URL}/token", **token},
        rules=[{"path": "id", "op": "exists"}],
    )


CREDENTIALS = {"client_id": "app:1", "client_secret": SECRET}
CLIENT = {"client_id": "{client_id}", "client_secret": "{client_secret}"}


async def test_client_credentials_in_the_body(certificate: Certificate, try_probe: Try) -> None:
    expected = {
        "grant_type": "client_credentials",
        "client_id": "app:1",
        "client_secret": SECRET,
        "scope": "read,write",
        "audience": "https://api",
    }
    probe = with_token(
        grant="client_credentials",
        scopes=["read", "write", "{scopes}"],
        scope_separator=",",
        parameters={"audience": "https://api", "left_out": "{key_id}"},
        **CLIENT,
    )
    async with web_server(certificate, provider(lambda one: one.form == expected)) as server:
        right = await try_probe(probe, server.settings, **CREDENTIALS)
        wrong = await try_probe(probe, server.settings, client_id="app:1", client_secret="other")

    assert right.verdict == "accepted"
    assert wrong.verdict == "credentials_refused"
    assert "answered 401: Unknown. The credentials are not accepted." in wrong.said
    assert [one.target for one in server.asked] == ["/token", "/me", "/token"]


async def test_client_credentials_by_basic_authentication(
    certificate: Certificate, try_probe: Try
) -> None:
    """Both halves are form-encoded first, so that a colon in them is none (RFC 6749, 2.3.1)."""

    def judge(asked: Asked) -> bool:
        assert asked.form == {"grant_type": "client_credentials"}
        return asked.basic == ("app%3A1", quote_plus(SECRET))

    probe = with_token(grant="client_credentials", client_authentication="basic", **CLIENT)
    async with web_server(certificate, provider(judge)) as server:
        right = await try_probe(probe, server.settings, **CREDENTIALS)
        wrong = await try_probe(probe, server.settings, client_id="app:1", client_secret="other")

    assert (right.verdict, wrong.verdict) == ("accepted", "credentials_refused")


async def test_a_password_grant_with_what_its_provider_wants_otherwise(
    certificate: Certificate, try_probe: Try
) -> None:
    """As that of Brandwatch."""
    expected = {
        "grant_type": "api-password",
        "client_id": "api-client",
        "username": "ada",
        "password": SECRET,
    }
    probe = with_token(
        grant="password",
        username="{username}",
        password="{password}",
        parameters={"grant_type": "api-password", "client_id": "api-client"},
    )
    async with web_server(certificate, provider(lambda one: one.form == expected)) as server:
        right = await try_probe(probe, server.settings, username="ada", password=SECRET)
        wrong = await try_probe(probe, server.settings, username="ada", password="wrong")

    assert (right.verdict, wrong.verdict) == ("accepted", "credentials_refused")


ASSERTION = {
    "kind": "jwt",
    "private_key": "{private_key}",
    "passphrase": "{passphrase}",
    "issuer": "{client_id}",
    "subject": "{username}",
    "audience": URL,
    "key_id": "{key_id}",
    "lifetime_seconds": 180,
    "claims": {"scope": "a b"},
}


@pytest.mark.parametrize(("key", "algorithm"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256")])
async def test_a_jwt_bearer_is_signed_made_out_and_short_lived(
    certificate: Certificate,
    try_probe: Try,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    algorithm: str,
) -> None:
    public = key.public_key()
    known = (
        RSAKey.import_key(public)
        if isinstance(public, rsa.RSAPublicKey)
        else (ECKey.import_key(public))
    )
    audience = ""

    def judge(asked: Asked) -> bool:
        form = asked.form
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        assert form.keys() == {"grant_type", "assertion"}
        token = jwt.decode(form["assertion"], known, algorithms=[algorithm])
        claims = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": "app"},
            sub={"essential": True, "value": "ada@example.com"},
            aud={"essential": True, "value": audience},
            scope={"essential": True, "value": "a b"},
            exp={"essential": True},
            iat={"essential": True},
            jti={"essential": True},
        )
        claims.validate(token.claims)
        assert token.claims["exp"] - token.claims["iat"] == 180
        assert abs(token.claims["iat"] - time.time()) < 60
        return token.header == {"typ": "JWT", "alg": algorithm, "kid": "k1"}

    probe = with_token(grant="jwt_bearer", assertion={**ASSERTION, "algorithm": algorithm})
    given = {"client_id": "app", "username": "ada@example.com", "key_id": "k1"}
    async with web_server(certificate, provider(judge)) as server:
        audience = f"https://localhost:{server.port}"
        plain = await try_probe(probe, server.settings, private_key=pem(key), **given)
        opened = await try_probe(
            probe, server.settings, private_key=pem(key, "open"), passphrase="open", **given
        )

    assert plain.verdict == opened.verdict == "accepted"


async def test_an_assertion_in_nobodys_name_has_no_subject(
    certificate: Certificate, try_probe: Try
) -> None:
    claims: list[dict[str, Any]] = []

    def judge(asked: Asked) -> bool:
        known = RSAKey.import_key(RSA_KEY.public_key())
        claims.append(jwt.decode(asked.form["assertion"], known, algorithms=["RS256"]).claims)
        return True

    probe = with_token(grant="jwt_bearer", assertion=ASSERTION)
    given = {"client_id": "app", "key_id": "k1", "private_key": pem(RSA_KEY)}
    async with web_server(certificate, provider(judge)) as server:
        await try_probe(probe, server.settings, **given)
        await try_probe(probe, server.settings, **given, username="ada@example.com")

    assert [one.get("sub") for one in claims] == [None, "ada@example.com"]


async def test_a_key_pair_is_known_by_its_fingerprint(
    certificate: Certificate, try_probe: Try
) -> None:
    """As that of Snowflake: the assertion is the token, and its issuer names the key."""
    public = RSA_KEY.public_key()
    der = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    fingerprint = f"SHA256:{base64.b64encode(sha256(der).digest()).decode()}"

    def statements(asked: Asked) -> Answer:
        assert asked.headers["x-snowflake-authorization-token-type"] == "KEYPAIR_JWT"
        assert json.loads(asked.content) == {"statement": "SELECT 1", "role": 'R"1'}
        known = RSAKey.import_key(public)
        try:
            token = jwt.decode(asked.bearer or "", known, algorithms=["RS256"])
        except JoseError:
            return reply(401, {"code": "390144", "message": "JWT token is invalid."})
        assert token.claims["sub"] == "ACME.KEYTURN"
        assert token.claims["iss"] == f"ACME.KEYTURN.{fingerprint}"
        return reply(200, {"data": [["KEYTURN"]]})

    probe = http(
        "/api/v2/statements",
        method="POST",
        headers={
            "Authorization": "Bearer {access_token}",
            "X-Snowflake-Authorization-Token-Type": "KEYPAIR_JWT",
            "Content-Type": "application/json",
        },
        body='{"statement": "SELECT 1", "role": "{username}"}',
        token={
            "grant": "assertion",
            "assertion": {
                "kind": "jwt",
                "private_key": "{private_key}",
                "issuer": "ACME.KEYTURN.SHA256:{public_key_sha256}",
                "subject": "ACME.KEYTURN",
                "lifetime_seconds": 3600,
            },
        },
        rules=[{"path": "data.0.0", "op": "nonempty"}],
        label_path="data.0.0",
    )
    another = rsa.generate_private_key(65537, 2048)
    async with web_server(certificate, statements) as server:
        right = await try_probe(probe, server.settings, private_key=pem(RSA_KEY), username='R"1')
        wrong = await try_probe(probe, server.settings, private_key=pem(another), username='R"1')

    assert right.verdict == "accepted"
    assert "KEYTURN" in right.said
    assert wrong.verdict == "credentials_refused"
    assert "JWT token is invalid." in wrong.said


@pytest.mark.parametrize(
    ("status", "content", "verdict"),
    [
        (400, {"error": "invalid_client"}, "credentials_refused"),
        (400, {"error": "invalid_grant"}, "credentials_refused"),
        (400, {"error": "unauthorized_client"}, "credentials_refused"),
        (400, {"error": "interaction_required"}, "credentials_refused"),
        (400, {"error": "invalid_scope"}, "settings_invalid"),
        (400, {"error": "unsupported_grant_type"}, "settings_invalid"),
        (400, {"error": "temporarily_unavailable"}, "provider_unreachable"),
        (400, {"error_codes": [700016], "error": "unauthorized_client"}, "settings_invalid"),
        (400, {"error": "something"}, "credentials_refused"),
        (200, {"access_token": ""}, "credentials_refused"),
        (200, {"access_token": {"x": 1}}, "credentials_refused"),
        (200, b"access_token=abc", "credentials_refused"),
        (200, {"access_token": "a\r\nHost: evil.net"}, "settings_invalid"),
        (200, {"access_token": "ü"}, "settings_invalid"),
        (302, b"", "settings_invalid"),
        (404, b"", "settings_invalid"),
        (429, b"", "provider_unreachable"),
        (500, b"", "provider_unreachable"),
    ],
)
async def test_what_a_token_endpoint_answers_instead_of_a_token(
    certificate: Certificate, try_probe: Try, status: int, content: Any, verdict: Verdict
) -> None:
    probe = with_token(grant="client_credentials", **CLIENT).model_copy(
        update={
            "failures": http(
                failures=[{"path": "error_codes.0", "value": 700016, "verdict": "settings_wrong"}]
            ).failures
        }
    )
    async with web_server(certificate, lambda _: reply(status, content)) as server:
        finding = await try_probe(probe, server.settings, **CREDENTIALS)

    assert finding.verdict == verdict
    assert [one.target for one in server.asked] == ["/token"]
    assert "abc" not in finding.said


async def test_a_token_that_came_is_never_shown(certificate: Certificate, try_probe: Try) -> None:
    """The provider's error page repeats it, and what it was traded for."""

    def echo(asked: Asked) -> Answer:
        if asked.target == "/token":
            return reply(200, {"access_token": ISSUED})
        return reply(403, {"message": f"{asked.bearer} is too weak."})

    probe = with_token(grant="client_credentials", **CLIENT)
    async with web_server(certificate, echo) as server:
        finding = await try_probe(probe, server.settings, **CREDENTIALS)

    assert finding.verdict == "credentials_refused"
    assert "issued" not in finding.said


async def test_a_token_elsewhere_in_the_answer(certificate: Certificate, try_probe: Try) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.target == "/token":
            return reply(201, {"data": [{"token": ISSUED}]})
        return reply(200, {"id": 1}) if asked.bearer == ISSUED else reply(401)

    probe = with_token(grant="client_credentials", token_path="data.0.token", **CLIENT)
    async with web_server(certificate, answer) as server:
        assert (await try_probe(probe, server.settings, **CREDENTIALS)).verdict == "accepted"


async def test_the_address_of_tokens_obeys_the_accounts_rules_too(
    certificate: Certificate, try_probe: Try
) -> None:
    probe = with_token(grant="client_credentials", **CLIENT)
    token = probe.token.model_copy(update={"url": "{token_url}"})
    probe = probe.model_copy(update={"token": token})
    async with web_server(certificate, provider(lambda _: True)) as server:
        elsewhere = await try_probe(
            probe, server.settings, token_url="https://evil.net/token", **CREDENTIALS
        )
        allowed = await try_probe(
            probe,
            server.settings,
            token_url=f"https://localhost:{server.port}/token",
            **CREDENTIALS,
        )

    assert elsewhere.verdict == "address_refused"
    assert allowed.verdict == "accepted"


async def test_what_no_request_can_carry_is_found_before_a_token_is_asked_for(
    certificate: Certificate, try_probe: Try
) -> None:
    probe = with_token(grant="client_credentials", **CLIENT)
    probe = probe.model_copy(update={"headers": {"X-Key": "{api_key}"}})
    async with web_server(certificate, provider(lambda _: True)) as server:
        finding = await try_probe(probe, server.settings, api_key="a\r\nX-Other: b", **CREDENTIALS)

    assert finding.verdict == "fields_invalid"
    assert server.asked == []
