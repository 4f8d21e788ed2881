"""Accounts that are tried over HTTPS and SFTP, from the command to what is announced of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from keyturn_contracts.catalog import ExtensionPublished, LicenceChanged, Manifest
from keyturn_contracts.credential_vault import AccountVerified, AddAccount, VerifyAccount
from keyturn_contracts.message import CommandRefused
from keyturn_contracts.probes import ConsentProbe, HttpProbe, SftpProbe

from deploy.demo.certificate import Certificate
from shared.messaging.envelope import Asked
from tests.batches import asked
from tests.credential_vault.probing import extension, field, http
from tests.credential_vault.ssh import ssh_server
from tests.credential_vault.test_canary import CANARY, dump, is_found
from tests.credential_vault.vault import Vault
from tests.credential_vault.web import Answer, reply, web_server
from tests.credential_vault.web import Asked as Request

CONSENT = ConsentProbe(authorize_url="https://a.example.com/", token_url="https://a.example.com/t")
BY_KEY = http(
    "/v1/me", headers={"Authorization": "Bearer {api_key}"}, rules=[{"path": "id", "op": "exists"}]
)
BY_TOKEN = http(
    "/v1/me",
    headers={"Authorization": "Bearer {access_token}"},
    token={
        "grant": "client_credentials",
        "url": "https://{host}:{port}/token",
        "client_id": "{client_id}",
        "client_secret": "{client_secret}",
    },
)
BY_SSH = SftpProbe(
    host="{host}",
    port="{port}",
    username="{username}",
    host_key="{host_key}",
    password="{password}",
    folder="{folder}",
)


def provider(key: str) -> Any:
    """Return a provider whose messages repeat whatever was sent."""

    def answer(one: Request) -> Answer:
        if one.target == "/token":
            if one.form["client_secret"] != key:
                return reply(401, {"error": "invalid_client", "error_description": str(one)})
            return reply(200, {"access_token": f"{key}.token"})
        if one.bearer in {key, f"{key}.token"}:
            return reply(200, {"id": 1})
        return reply(401, {"message": f"{one.bearer} is no key."})

    return answer


def wanting(manifest: Manifest, *names: str) -> Manifest:
    """Return the extension with these fields alone."""
    [scheme] = manifest.schemes
    secret = {"api_key", "client_secret", "password"}
    fields = tuple(field(name, secret=name in secret) for name in names)
    return manifest.model_copy(update={"schemes": (scheme.model_copy(update={"fields": fields}),)})


async def published(vault: Vault, probe: HttpProbe | SftpProbe, *names: str) -> Manifest:
    manifest = wanting(extension(probe), *names)
    await vault.hear(
        ExtensionPublished(manifest=manifest, version=1),
        LicenceChanged(extensions=("smtp-relay", "probed")),
    )
    return manifest


async def adding(
    vault: Vault, settings: Mapping[str, str], given: Mapping[str, str], account_id: str = "mail"
) -> Asked[AddAccount]:
    command = await vault.adding(
        given, settings, account_id=account_id, extension="probed", scheme="only"
    )
    await vault.deliver(command)
    await vault.tried()
    return command


@pytest.mark.parametrize(
    ("probe", "given"),
    [
        (BY_KEY, {"api_key": "{}"}),
        (BY_TOKEN, {"client_id": "app", "client_secret": "{}"}),
    ],
    ids=["key", "token"],
)
async def test_an_account_is_tried_over_https_and_its_secret_stays_where_it_belongs(
    vault: Vault,
    certificate: Certificate,
    capfd: pytest.CaptureFixture[str],
    probe: HttpProbe,
    given: dict[str, str],
) -> None:
    def holding(secret: str) -> dict[str, str]:
        return {name: one.replace("{}", secret) for name, one in given.items()}

    await published(vault, probe, *given)
    async with web_server(certificate, provider(CANARY)) as server:
        right = await adding(vault, server.settings, holding(CANARY))
        wrong = await adding(vault, server.settings, holding(f"{CANARY}x"), "other")
        rotate = await vault.rotating(holding(CANARY))
        verify = asked(VerifyAccount(account_id="mail"))
        await vault.deliver(rotate, verify)
        await vault.tried(times=2)
        answers = [await vault.answer(one) for one in (right, wrong, rotate, verify)]
        server.handler = provider("another")
        again = asked(VerifyAccount(account_id="mail"))
        await vault.deliver(again)
        await vault.tried()

    refused = answers[1]
    assert isinstance(refused, CommandRefused)
    assert refused.reason == "credentials_refused"
    assert "answered 401" in refused.message
    assert [await vault.outcome(one) for one in (right, rotate, verify)] == ["applied"] * 3
    verified = AccountVerified.model_validate_json((await vault.events())[-1].value)
    assert verified.state == "needs_attention"
    for place in (await dump(vault), repr(answers), verified.model_dump_json()):
        assert is_found(place) == set()
    assert is_found("".join(capfd.readouterr())) == set()


async def test_an_account_is_tried_over_sftp(vault: Vault, tmp_path: Path) -> None:
    await published(vault, BY_SSH, "username", "password")
    async with ssh_server(tmp_path) as server:
        server.passwords.add(CANARY)
        given = {"username": "keyturn", "password": CANARY}
        right = await adding(vault, server.settings, given)
        wrong = await adding(vault, server.settings, {**given, "password": "hunter2"}, "other")

    assert await vault.outcome(right) == "applied"
    assert await vault.outcome(wrong) == "credentials_refused"
    assert is_found(await dump(vault)) == set()


async def test_a_provider_is_counted_for_every_address_that_a_try_asks(
    vault: Vault, certificate: Certificate
) -> None:
    await published(vault, BY_TOKEN, "client_id", "client_secret")
    limited = vault.another(tries_per_provider=1, tries_window_seconds=1e10)
    given = {"client_id": "app", "client_secret": CANARY}
    async with web_server(certificate, provider(CANARY)) as server:
        commands = [await adding(limited, server.settings, given, name) for name in ("a", "b")]

    assert [await vault.outcome(one) for one in commands] == ["applied", None]
    assert [one.target for one in server.asked] == ["/token", "/v1/me"]


async def test_a_scheme_that_has_come_to_need_a_consent_leaves_its_account_as_it_is(
    vault: Vault, certificate: Certificate
) -> None:
    manifest = await published(vault, BY_KEY, "api_key")
    async with web_server(certificate, provider(CANARY)) as server:
        added = await adding(vault, server.settings, {"api_key": CANARY})
    assert await vault.outcome(added) == "applied"
    [scheme] = manifest.schemes
    changed = manifest.model_copy(
        update={"schemes": (scheme.model_copy(update={"probe": CONSENT}),)}
    )
    await vault.hear(ExtensionPublished(manifest=changed, version=2))

    verify = asked(VerifyAccount(account_id="mail"))
    await vault.deliver(verify)
    await vault.tried()
    rotate = await vault.rotating({"api_key": CANARY})
    await vault.deliver(rotate)

    for command in (verify, rotate):
        refused = await vault.answer(command)
        assert isinstance(refused, CommandRefused)
        assert refused.reason == "scheme_not_supported"
        assert "a person's consent in a browser" in refused.message
    assert await vault.told() == ["AccountAdded"]
    assert await vault.versions() == {1: "current"}
