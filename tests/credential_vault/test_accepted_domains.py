"""Of a third party's extension the vault connects to what somebody accepted, and no further."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest
from keyturn_contracts.catalog import (
    AdditionalDomains,
    DerivedSetting,
    DomainRule,
    ExtensionPublished,
    FieldSpec,
    Manifest,
)
from keyturn_contracts.credential_vault import VerifyAccount
from keyturn_contracts.installation import DeclaredDomain, InstallationChanged
from keyturn_contracts.message import CommandRefused
from keyturn_contracts.probes import SmtpProbe

from deploy.demo.certificate import Certificate
from shared.messaging.envelope import Asked
from tests.batches import asked
from tests.credential_vault.given import HOST, PAGER, PORT, installation
from tests.credential_vault.mail import MailServer, mail_server
from tests.credential_vault.vault import Vault

RIGHT = {"username": "keyturn", "password": "right"}
NEXT = {"username": "keyturn", "password": "next-one"}

LONGER_THAN_A_MANIFEST_MAY_BE = DomainRule.model_construct(
    rule="{host}:{port}", purpose="x", slots={"host": "x" * 3000, "port": "[0-9]+"}
)
FIXED = PAGER.model_copy(update={"domains": ()})
NO_MORE = FIXED.model_copy(
    update={"additional_domains": AdditionalDomains(allowed=False, why="There is one server.")}
)


async def added_with(vault: Vault, server: MailServer, manifest: Manifest, *added: str) -> str:
    await published(vault, manifest)
    await vault.hear(installation(declared=manifest.domains, added=added))
    command = await vault.adding(RIGHT, server.settings, extension="pager")
    await vault.deliver(command)
    await vault.tried()
    return await vault.outcome(command) or "open"


async def test_a_domain_that_the_brand_added_may_be_tried(vault: Vault, server: MailServer) -> None:
    assert await added_with(vault, server, FIXED, f"localhost:{server.port}") == "applied"
    assert server.logins == [("right", True)]


@pytest.mark.parametrize(
    ("manifest", "added"),
    [(FIXED, ()), (FIXED, ("localhost",)), (NO_MORE, ("localhost:{port}",))],
    ids=["nothing added", "another port", "an extension that lets nobody add"],
)
async def test_no_other_address_is_tried(
    vault: Vault, server: MailServer, manifest: Manifest, added: tuple[str, ...]
) -> None:
    rules = [one.format(port=server.port) for one in added]

    assert await added_with(vault, server, manifest, *rules) == "address_refused"
    assert server.logins == []


async def test_a_domain_that_was_added_counts_no_more_when_adding_is_not_allowed_any_more(
    vault: Vault, server: MailServer
) -> None:
    await published(vault, FIXED)
    rule = f"localhost:{server.port}"
    await vault.hear(installation(declared=(), added=(rule,), may_add_domains=False))
    command = await vault.adding(RIGHT, server.settings, extension="pager")
    await vault.deliver(command)
    await vault.tried()

    assert await vault.outcome(command) == "address_refused"


@pytest.mark.parametrize(
    "accepted",
    [
        (),
        (DomainRule(rule="{host}:{port}", purpose="x", slots={"host": "x", "port": "[0-9]+"}),),
        (LONGER_THAN_A_MANIFEST_MAY_BE,),
    ],
    ids=["another domain", "another pattern", "a pattern that is too long"],
)
async def test_what_a_newer_version_asks_for_is_not_tried_before_somebody_accepts_it(
    vault: Vault, server: MailServer, accepted: tuple[DomainRule, ...]
) -> None:
    await published(vault, PAGER)
    await vault.hear(installation(declared=accepted))
    command = await vault.adding(RIGHT, server.settings, extension="pager")
    await vault.deliver(command)
    await vault.tried()

    assert await vault.outcome(command) == "address_refused"
    assert server.logins == []


# What fills the slots.

RULE = DomainRule(rule="{host}:{at}", purpose="Mail.", slots={"host": HOST, "at": PORT})


@pytest.fixture
async def other(certificate: Certificate) -> AsyncGenerator[MailServer]:
    """Run the server that a newer version leads to."""
    async with mail_server(certificate) as server:
        server.passwords |= {"right", "next-one"}
        yield server


def filling(*templates: str, port: str | None) -> Manifest:
    """Return an extension whose server's port is a derived value, and `port` a setting."""
    [scheme, *_] = PAGER.schemes
    assert isinstance(scheme.probe, SmtpProbe)
    probe = scheme.probe.model_copy(update={"port": "{at}"})
    return PAGER.model_copy(
        update={
            "settings": (
                *(one for one in PAGER.settings if one.name != "port"),
                FieldSpec(name="port", title="Port", pattern=PORT, default=port, required=False),
            ),
            "derived": (DerivedSetting(name="at", first_of=templates),),
            "domains": (RULE,),
            "schemes": (scheme.model_copy(update={"probe": probe}),),
        }
    )


def accepted(manifest: Manifest, version: int = 1) -> InstallationChanged:
    """Return what is told of an installation in which this version was accepted."""
    [derived] = manifest.derived
    defaults = {one.name: one.default for one in manifest.settings if one.name == "port"}
    return installation(
        version=version,
        declared=manifest.domains,
        derived={"at": derived.first_of},
        defaults={name: one for name, one in defaults.items() if one is not None},
    )


async def published(vault: Vault, manifest: Manifest, version: int = 1) -> None:
    await vault.hear(ExtensionPublished(manifest=manifest, version=version))


async def outcome(vault: Vault, command: Asked[Any]) -> str | None:
    await vault.deliver(command)
    await vault.tried()
    return await vault.outcome(command)


async def added(vault: Vault, settings: Mapping[str, str], account_id: str = "mail") -> str | None:
    command = await vault.adding(RIGHT, settings, account_id=account_id, extension="pager")
    return await outcome(vault, command)


NAMES = {"host": "localhost"}


@pytest.mark.parametrize("way", ["derived", "default", "both"])
async def test_while_a_newer_version_waits_accounts_go_on_at_the_host_that_was_accepted(
    vault: Vault, server: MailServer, other: MailServer, way: str
) -> None:
    server.passwords.add("next-one")
    first = filling("{port}", port=str(server.port))
    template = str(other.port) if way in {"derived", "both"} else "{port}"
    port = str(other.port) if way in {"default", "both"} else str(server.port)
    newer = filling(template, port=port)
    await published(vault, first)
    await vault.hear(accepted(first))
    assert await added(vault, NAMES) == "applied"

    await published(vault, newer, version=2)
    rotations = [
        await vault.rotating(NEXT),
        await vault.rotating(RIGHT, settings=NAMES),
    ]
    assert [await outcome(vault, one) for one in rotations] == ["applied", "applied"]
    assert await outcome(vault, asked(VerifyAccount(account_id="mail"))) == "applied"
    assert await added(vault, NAMES, "second") == "applied"

    assert [password for password, _ in server.logins] == ["right", "next-one", *["right"] * 3]
    assert other.logins == []
    assert (await vault.told())[-1] == "AccountVerified"
    await vault.hear(accepted(newer, version=2))
    assert await outcome(vault, await vault.rotating(NEXT, settings=NAMES)) == "applied"
    assert other.logins == [("next-one", True)]


async def test_a_default_that_nobody_accepted_fills_no_slot(
    vault: Vault, other: MailServer
) -> None:
    first = filling("{port}", port=None)
    await published(vault, filling("{port}", port=str(other.port)), version=2)
    await vault.hear(accepted(first))

    assert await added(vault, NAMES) == "settings_invalid"
    assert other.logins == []


def told_before(event: InstallationChanged) -> InstallationChanged:
    """Return an event as it was before it said what fills slots."""
    declared = tuple(DeclaredDomain(rule=one.rule, slots=one.slots) for one in event.declared)
    return event.model_copy(update={"declared": declared})


async def test_where_it_was_not_told_what_was_accepted_nothing_is_tried_while_another_waits(
    vault: Vault, server: MailServer, other: MailServer
) -> None:
    first = filling("{port}", port=str(server.port))
    await published(vault, first)
    await vault.hear(told_before(accepted(first)))
    assert await added(vault, NAMES) == "applied"
    verification = asked(VerifyAccount(account_id="mail"))
    await vault.deliver(verification)
    rotation = await vault.rotating(NEXT)
    await vault.deliver(rotation)

    await published(vault, filling(str(other.port), port=str(other.port)), version=2)
    await vault.tried()
    later = await vault.rotating(NEXT, settings=NAMES)

    for command in (verification, rotation, later):
        refused = await vault.answer(command)
        assert isinstance(refused, CommandRefused)
        assert refused.reason == "provider_unreachable"
        assert "an administrator has to accept it first" in refused.message
    assert await vault.told() == ["AccountAdded"]
    assert server.logins == [("right", True)]
    assert other.logins == []
