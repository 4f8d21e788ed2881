"""Both extensions of SuccessFactors, as they are shipped, against a server of its kind."""

import base64
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from keyturn_contracts.catalog import Manifest

from deploy.demo.certificate import Certificate
from services.catalog.jobs import MANIFESTS, read_manifests
from services.credential_vault.providers.dialling import Dialler
from services.credential_vault.providers.finding import Finding
from services.credential_vault.providers.http import HttpTry, try_http
from services.credential_vault.providers.probes import fill_probe
from services.credential_vault.providers.trust import tls_context
from tests.credential_vault.probing import secret_fields
from tests.credential_vault.providers.successfactors import (
    SuccessFactors,
    certificate_of,
    key_pair,
)
from tests.credential_vault.ssh import pem
from tests.credential_vault.web import Answer, Asked, WebServer, reply, web_server

ENTITIES = {
    "successfactors-employee-extract": "User",
    "successfactors-recruiting-extract": "JobRequisition",
}
SHIPPED = {one.slug: one for one in read_manifests(MANIFESTS) if one.slug in ENTITIES}
API_KEY = "OWE1Yzg0NTMyOGJlY2M4NWRiZGFiMGE3MTI5MA"
KEY, CERTIFICATE = key_pair()
OTHER_KEY, OTHER_CERTIFICATE = key_pair()
FIELDS = {"api_key": API_KEY, "username": "sfapi_extract", "private_key": pem(KEY)}

TryShipped = Callable[..., Awaitable[Finding]]


@pytest.fixture
def try_shipped(certificate: Certificate, dialler: Dialler) -> TryShipped:
    """Try the shipped manifest, of which only the server's place is another."""

    async def attempt(server: WebServer, slug: str, **changed: str) -> Finding:
        settings = {"api_server": "api41preview.sapsf.com", "company_id": "SFSALES012345"}
        fields = secret_fields({**FIELDS, **changed})
        moved = SHIPPED[slug].model_dump_json().replace("{api_server}", f"localhost:{server.port}")
        manifest = Manifest.model_validate_json(moved)
        private = dialler.allowed_private_hosts
        found = fill_probe(manifest, "saml-bearer", settings, fields, private=private)
        assert isinstance(found, HttpTry), found
        return await try_http(found, dialler, tls_context(certificate.root), 10)

    return attempt


def placed(provider: SuccessFactors, server: WebServer) -> SuccessFactors:
    provider.recipient = f"https://localhost:{server.port}/oauth/token"
    return provider


@pytest.mark.parametrize("slug", ENTITIES)
async def test_an_account_is_connected(
    certificate: Certificate, try_shipped: TryShipped, slug: str
) -> None:
    provider = SuccessFactors({API_KEY: CERTIFICATE}, entity=ENTITIES[slug])
    async with web_server(certificate, provider.answer) as server:
        placed(provider, server)
        plain = await try_shipped(server, slug)
        shown = await try_shipped(server, slug, certificate=CERTIFICATE)

    assert (plain.verdict, shown.verdict) == ("accepted", "accepted"), (plain, shown)
    assert [one.target.partition("?")[0] for one in server.asked] == [
        *("/oauth/token", f"/odata/v2/{ENTITIES[slug]}"),
        *("/oauth/token", f"/odata/v2/{ENTITIES[slug]}"),
    ]
    assert len(set(provider.assertions)) == 2


async def test_a_key_as_successfactors_gives_it_out(
    certificate: Certificate, try_shipped: TryShipped
) -> None:
    """In its file, what stands between the lines of the key is base64 of base64."""
    lines = pem(KEY).strip().splitlines()
    twice = base64.b64encode("".join(lines[1:-1]).encode()).decode()
    file = (
        f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{twice}\n-----END ENCRYPTED PRIVATE KEY-----\n"
        f"{CERTIFICATE}"
    )
    provider = SuccessFactors({API_KEY: CERTIFICATE})
    async with web_server(certificate, provider.answer) as server:
        placed(provider, server)
        found = await try_shipped(server, "successfactors-employee-extract", private_key=file)

    assert found.verdict == "accepted", found


@pytest.mark.parametrize("slug", ENTITIES)
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"private_key": pem(OTHER_KEY)}, "401: Unable to verify the signature"),
        (
            {"private_key": pem(OTHER_KEY), "certificate": OTHER_CERTIFICATE},
            "401: Unable to verify the signature",
        ),
        ({"username": "nobody"}, "Login failed - invalid user"),
        ({"api_key": API_KEY[::-1]}, "401: Unable to authenticate the client"),
    ],
)
async def test_what_it_does_not_know_is_dead(
    certificate: Certificate,
    try_shipped: TryShipped,
    slug: str,
    changed: dict[str, str],
    said: str,
) -> None:
    provider = SuccessFactors({API_KEY: CERTIFICATE}, entity=ENTITIES[slug])
    async with web_server(certificate, provider.answer) as server:
        placed(provider, server)
        found = await try_shipped(server, slug, **changed)

    assert found.verdict == "credentials_refused"
    assert said in found.said
    assert found.said.endswith("The credentials are not accepted.")
    assert [one.target for one in server.asked] == ["/oauth/token"]


async def test_an_assertion_that_was_changed_on_its_way_is_refused(
    certificate: Certificate, try_shipped: TryShipped
) -> None:
    """The server of the tests does look: else what it accepts would say nothing."""

    def another_user(assertion: str) -> str:
        xml = base64.b64decode(assertion)
        assert b"sfapi_extract" in xml
        return base64.b64encode(xml.replace(b"sfapi_extract", b"sfapi_admin")).decode()

    provider = SuccessFactors({API_KEY: CERTIFICATE}, users={"sfapi_admin"}, spoil=another_user)
    async with web_server(certificate, provider.answer) as server:
        placed(provider, server)
        found = await try_shipped(server, "successfactors-employee-extract")

    assert "Unable to verify the signature" in found.said


async def test_one_that_is_made_out_to_another_server_is_refused(
    certificate: Certificate, try_shipped: TryShipped
) -> None:
    provider = SuccessFactors({API_KEY: CERTIFICATE}, recipient="https://elsewhere/oauth/token")
    async with web_server(certificate, provider.answer) as server:
        found = await try_shipped(server, "successfactors-employee-extract")

    assert found.verdict == "credentials_refused"
    assert "answered 400: [LGN0022]" in found.said


async def test_a_user_who_may_not_read_is_told_apart(
    certificate: Certificate, try_shipped: TryShipped
) -> None:
    provider = SuccessFactors({API_KEY: CERTIFICATE}, may_read=False)
    async with web_server(certificate, provider.answer) as server:
        placed(provider, server)
        found = await try_shipped(server, "successfactors-employee-extract")

    assert found.verdict == "credentials_refused"
    assert "403: User does not have permission for User. The" in found.said
    assert "The credentials are accepted, and lack a right that is needed." in found.said


def _whole(asked: Asked) -> str:
    return asked.form["assertion"]


def _the_form(asked: Asked) -> str:
    return asked.content.decode()


def _the_key(asked: Asked) -> str:
    return asked.form["client_id"]


def _as_xml(asked: Asked) -> str:
    xml = base64.b64decode(_whole(asked)).decode()
    return xml[xml.index("AttributeStatement") :]


@pytest.mark.parametrize("repeat", [_whole, _as_xml, _the_form, _the_key])
@pytest.mark.parametrize("key", ["message", "errorMessage"])
async def test_what_was_sent_is_never_shown(
    certificate: Certificate,
    try_shipped: TryShipped,
    caplog: pytest.LogCaptureFixture,
    repeat: Callable[[Asked], str],
    key: str,
) -> None:
    """Neither by what is found nor in a log at its most talkative, nor is the key sent at all."""
    caplog.set_level(logging.DEBUG)
    sent: list[str] = []

    def echo(asked: Asked) -> Answer:
        sent.append(base64.b64decode(asked.form["assertion"]).decode())
        return reply(401, {key: f"Refused: {repeat(asked)}"})

    async with web_server(certificate, echo) as server:
        found = await try_shipped(
            server, "successfactors-employee-extract", certificate=certificate_of(KEY)
        )

    assert found.verdict == "credentials_refused"
    assert found.said == (
        f"localhost:{server.port} answered 401. The credentials are not accepted."
    )
    assert len(sent) == 1
    _assert_without(caplog.text, API_KEY, "AttributeStatement")
    _assert_without(sent[0], *_secret_lines(KEY))


def _secret_lines(key: Any) -> list[str]:
    return pem(key).splitlines()[1:-1]


def _assert_without(text: str, *parts: str) -> None:
    for one in parts:
        assert one not in text
