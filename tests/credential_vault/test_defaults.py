"""An account keeps the settings that were given: what is left out is filled in when it is used."""

from typing import Any

import pytest
from keyturn_contracts.catalog import DomainRule, ExtensionPublished, FieldSpec, Manifest
from keyturn_contracts.credential_vault import AccountChanged, VerifyAccount
from keyturn_contracts.probes import SmtpProbe

from deploy.demo.certificate import Certificate
from shared.messaging.envelope import Asked
from tests.batches import asked
from tests.credential_vault.given import HOST, PAGER, PORT, installation
from tests.credential_vault.http import Client
from tests.credential_vault.mail import MailServer, mail_server
from tests.credential_vault.vault import GivenEngine, Vault

RIGHT = {"username": "keyturn", "password": "right"}
HOST_ALONE = {"host": "localhost"}
BY_PORT = DomainRule(rule="{host}:{at}", purpose="Mail.", slots={"host": HOST, "at": PORT})


def pager(domain: DomainRule, *, probed: str, at: int | None = None) -> Manifest:
    """Return an extension that is tried at this port, and has the setting `at` with a default."""
    [scheme, *_] = PAGER.schemes
    assert isinstance(scheme.probe, SmtpProbe)
    probe = scheme.probe.model_copy(update={"port": probed})
    settings = [one for one in PAGER.settings if one.name != "port"]
    if at is not None:
        settings.append(FieldSpec(name="at", title="At", required=False, default=str(at)))
    return PAGER.model_copy(
        update={
            "settings": tuple(settings),
            "domains": (domain,),
            "schemes": (scheme.model_copy(update={"probe": probe}),),
        }
    )


def fixed(port: int, *, at: int | None = None) -> Manifest:
    """Return one whose only domain has no slot."""
    domain = DomainRule(rule=f"localhost:{port}", purpose="Mail.")
    return pager(domain, probed=str(port), at=at)


async def in_force(vault: Vault, manifest: Manifest, version: int) -> None:
    """Have a version published, and be what the brand has accepted."""
    await vault.hear(ExtensionPublished(manifest=manifest, version=version))
    slots = {name for one in manifest.domains for name in one.slots}
    defaults = {
        one.name: one.default
        for one in manifest.settings
        if one.name in slots and one.default is not None
    }
    await vault.hear(installation(version=version, declared=manifest.domains, defaults=defaults))


async def outcome(vault: Vault, command: Asked[Any]) -> str | None:
    await vault.deliver(command)
    await vault.tried()
    return await vault.outcome(command)


async def add(vault: Vault, account_id: str = "mail", **settings: str) -> str | None:
    given = HOST_ALONE | settings
    return await outcome(
        vault, await vault.adding(RIGHT, given, account_id=account_id, extension="pager")
    )


async def rotate(vault: Vault, account_id: str = "mail") -> str | None:
    return await outcome(vault, await vault.rotating(RIGHT, account_id=account_id))


async def announced(vault: Vault, account_id: str = "mail") -> dict[str, str]:
    """Return the settings that the newest event about an account tells."""
    return AccountChanged.model_validate_json((await vault.events(account_id))[-1].value).settings


async def test_a_default_of_an_earlier_version_leads_no_account_to_a_host_that_nobody_saw(
    vault: Vault, server: MailServer, certificate: Certificate
) -> None:
    """It filled no slot, so nobody had to accept it; a later version makes a host of it."""
    async with mail_server(certificate) as planted:
        planted.passwords.add("right")
        await in_force(vault, fixed(server.port), 1)
        assert await add(vault, "old") == "applied"
        await in_force(vault, fixed(server.port, at=planted.port), 2)
        assert [await rotate(vault, "old"), await add(vault, "new")] == ["applied"] * 2
        assert await announced(vault, "old") == await announced(vault, "new") == HOST_ALONE

        await in_force(vault, pager(BY_PORT, probed="{at}", at=server.port), 3)
        for account_id in ("old", "new"):
            verification = asked(VerifyAccount(account_id=account_id))
            assert await outcome(vault, verification) == "applied"
            assert await rotate(vault, account_id) == "applied"

        assert planted.logins == []
        assert len(server.logins) == 7


async def test_a_setting_that_somebody_gave_holds_whatever_the_default(
    vault: Vault, server: MailServer
) -> None:
    await in_force(vault, pager(BY_PORT, probed="{at}", at=1), 1)

    assert await add(vault, at=str(server.port)) == "applied"
    assert await announced(vault) == {**HOST_ALONE, "at": str(server.port)}


async def test_an_engine_gets_the_defaults_that_are_in_force(
    vault: Vault, client: Client, server: MailServer
) -> None:
    """Those that were accepted, of what fills slots; else those of the newest version."""
    engine = GivenEngine()
    await in_force(vault, pager(BY_PORT, probed="{at}", at=server.port), 1)
    assert await add(vault) == "applied"
    await vault.hear_engine(engine, "mail")
    complete = {**HOST_ALONE, "at": str(server.port), "security": "starttls"}
    assert (await client.opened(engine)).settings == complete

    newer = pager(BY_PORT, probed="{at}", at=1)
    security = FieldSpec(name="security", title="Security", default="tls")
    newer = newer.model_copy(
        update={"settings": (*(x for x in newer.settings if x.name != "security"), security)}
    )
    await vault.hear(ExtensionPublished(manifest=newer, version=2))

    assert (await client.opened(engine)).settings == {**complete, "security": "tls"}


async def test_an_engine_gets_no_default_where_nobody_can_say_what_was_accepted(
    vault: Vault, client: Client, server: MailServer
) -> None:
    engine = GivenEngine()
    await in_force(vault, pager(BY_PORT, probed="{at}", at=server.port), 1)
    assert await add(vault) == "applied"
    await vault.hear_engine(engine, "mail")
    told = installation(declared=(BY_PORT,))
    untold = tuple(
        one.model_copy(update={"derived": None, "defaults": None}) for one in told.declared
    )
    await vault.hear(told.model_copy(update={"declared": untold}))

    await vault.hear(ExtensionPublished(manifest=pager(BY_PORT, probed="{at}", at=1), version=2))

    assert (await client.opened(engine)).settings == HOST_ALONE


@pytest.mark.parametrize("again", [False, True], ids=["gone", "there again"])
async def test_an_account_is_rotated_whose_setting_a_later_version_dropped(
    vault: Vault, server: MailServer, *, again: bool
) -> None:
    await in_force(vault, fixed(server.port, at=1), 1)
    assert await add(vault, at="2") == "applied"

    await in_force(vault, fixed(server.port), 2)
    assert await rotate(vault) == "applied"
    if again:
        await in_force(vault, fixed(server.port, at=3), 3)
        assert await rotate(vault) == "applied"

    assert await announced(vault) == {**HOST_ALONE, "at": "2"}
