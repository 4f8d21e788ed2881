"""Accounts follow the brand's licence and installations, as their news comes."""

import asyncio
from pathlib import Path

import pytest
from keyturn_contracts.catalog import (
    ExtensionPublished,
    ExtensionRetired,
    LicenceChanged,
    Manifest,
)
from keyturn_contracts.credential_vault import DeleteAccount, EditAccount, VerifyAccount
from keyturn_contracts.installation import ExtensionSuspended
from keyturn_contracts.message import CommandRefused, Event

from tests.batches import asked, news
from tests.credential_vault.given import LICENSED, PAGER, SMTP, installation
from tests.credential_vault.http import Client, serving
from tests.credential_vault.mail import MailServer
from tests.credential_vault.vault import GivenEngine, Vault, completed
from tests.running_stack import RunningStack
from tests.waiting import eventually

SECRET = {"secret": "hunter2-canary"}
SETTINGS = {"host": "mail.example.com"}
SIGNING = "signing-secret"
RIGHT = {"username": "keyturn", "password": "right"}
ENGINE = GivenEngine()
NOTHING = LicenceChanged(extensions=())


async def given_pager(vault: Vault, manifest: Manifest = PAGER) -> None:
    await vault.hear(ExtensionPublished(manifest=manifest, version=1))


# Commands.


async def test_an_account_waits_for_the_brands_licence(vault: Vault) -> None:
    command = await vault.adding(SECRET, SETTINGS, scheme=SIGNING, brand="new")

    refused = await vault.waited(command)
    await vault.hear(LICENSED, brand="new")

    assert refused.reason == "not_licensed"
    assert (
        refused.message
        == "smtp-relay is not in your licence; reach out to the operator of your platform."
    )
    await vault.deliver(command)
    await vault.tried()
    assert await vault.outcome(command) == "applied"


async def test_whom_to_turn_to_is_a_setting(vault: Vault) -> None:
    vault = vault.another(licence_contact="sales@example.com")
    command = await vault.adding(SECRET, SETTINGS, scheme=SIGNING, brand="new")

    assert "reach out to sales@example.com" in (await vault.waited(command)).message


async def test_an_account_of_a_third_party_waits_for_its_installation(vault: Vault) -> None:
    await given_pager(vault)
    command = await vault.adding(SECRET, SETTINGS, scheme=SIGNING, extension="pager")

    assert (await vault.waited(command)).reason == "not_installed"
    await vault.hear(installation())

    await vault.deliver(command)
    await vault.tried()
    assert await vault.outcome(command) == "applied"


async def test_without_a_licence_an_account_is_neither_rotated_nor_tried(vault: Vault) -> None:
    await vault.given_account()
    await vault.hear(NOTHING)

    rotation = await vault.rotating({"secret": "next"})
    assert (await vault.waited(rotation)).reason == "not_licensed"
    verification = asked(VerifyAccount(account_id="mail"))
    assert (await vault.waited(verification)).reason == "not_licensed"


async def test_without_a_licence_an_account_is_still_renamed_retired_and_deleted(
    vault: Vault,
) -> None:
    await vault.given_account()
    await vault.given_rotation(retire="when-complete")
    await vault.hear(NOTHING)

    renamed = asked(EditAccount(account_id="mail", name="Other"))
    assert await vault.outcome(renamed) == "applied"
    await vault.hear(completed())
    assert await vault.retire() == 1
    assert await vault.outcome(asked(DeleteAccount(account_id="mail"))) == "applied"


async def test_an_older_licence_does_not_come_back(vault: Vault) -> None:
    await vault.deliver(news(NOTHING, 50))
    await vault.deliver(news(LICENSED, 49))
    command = await vault.adding(SECRET, SETTINGS, scheme=SIGNING)

    assert (await vault.waited(command)).reason == "not_licensed"


async def test_an_account_that_is_being_added_when_the_licence_goes_is_not_tried_nor_added(
    vault: Vault, server: MailServer
) -> None:
    command = await vault.adding(RIGHT, server.settings)
    await vault.deliver(command)
    await vault.hear(NOTHING)

    await vault.tried()

    assert server.logins == []
    assert await vault.outcome(command) == "not_licensed"
    assert await vault.told() == []
    assert await vault.versions() == {1: "refused"}


async def test_a_licence_that_goes_while_a_provider_answers_adds_no_account(
    vault: Vault, server: MailServer
) -> None:
    command = await vault.adding(RIGHT, server.settings)
    await vault.deliver(command)

    await vault.another(meanwhile=lambda: vault.hear(NOTHING)).tried()

    assert server.logins == [("right", True)]
    assert await vault.outcome(command) == "not_licensed"


async def given_account_at(vault: Vault, server: MailServer) -> None:
    """Add an account of the third party's extension, which is tried at a real server."""
    await given_pager(vault)
    await vault.hear(installation())
    command = await vault.adding(RIGHT, server.settings, extension="pager")
    await vault.deliver(command)
    await vault.tried()
    assert await vault.outcome(command) == "applied"
    server.logins.clear()


@pytest.mark.parametrize(
    ("gone", "reason"),
    [
        (NOTHING, "not_licensed"),
        (installation(ExtensionSuspended, state="suspended"), "not_licensed"),
        (installation(uninstall_id="u1"), "not_installed"),
    ],
    ids=["no licence", "suspended", "being uninstalled"],
)
async def test_what_is_under_way_when_the_right_to_it_goes_is_not_tried_and_says_so(
    vault: Vault, server: MailServer, gone: Event, reason: str
) -> None:
    """The account is as it was when the right comes back."""
    await given_account_at(vault, server)
    rotation = await vault.rotating(RIGHT)
    verification = asked(VerifyAccount(account_id="mail"))
    await vault.deliver(rotation, verification)

    await vault.hear(gone)
    await vault.tried()

    assert server.logins == []
    assert [await vault.outcome(one) for one in (rotation, verification)] == [reason, reason]
    assert await vault.told() == ["AccountAdded"]
    assert await vault.versions() == {1: "current", 2: "refused"}
    await vault.hear(LICENSED, installation())
    again = await vault.rotating(RIGHT)
    await vault.deliver(again)
    await vault.tried()
    assert await vault.outcome(again) == "applied"


async def test_a_verification_whose_domain_is_gone_says_so_and_leaves_the_account_connected(
    vault: Vault, server: MailServer
) -> None:
    await given_account_at(vault, server)
    await vault.hear(installation(declared=()))
    verification = asked(VerifyAccount(account_id="mail"))
    await vault.deliver(verification)
    await vault.tried()

    refused = await vault.answer(verification)
    assert isinstance(refused, CommandRefused)
    assert refused.reason == "provider_unreachable"
    assert "All domains are blocked" in refused.message
    assert server.logins == []
    assert await vault.told() == ["AccountAdded"]
    assert (await vault.audited())[-1][:3] == ("verify", "refused", "address_refused")


async def test_accounts_of_a_retired_extension_go_on(vault: Vault) -> None:
    await vault.given_account()
    await vault.hear(ExtensionRetired(manifest=SMTP, version=1, state="retired"))

    await vault.given_rotation()


async def test_a_retired_extension_takes_further_accounts_where_it_is_installed_alone(
    vault: Vault,
) -> None:
    await given_pager(vault)
    await vault.hear(
        installation(),
        installation(extension="smtp-relay", party="first", implicit=True),
        ExtensionRetired(manifest=SMTP, version=1, state="retired"),
        ExtensionRetired(manifest=PAGER, version=1, state="retired"),
    )

    for extension in ("pager", "smtp-relay"):
        await vault.given_account(f"of-{extension}", extension=extension)

    await vault.hear(LICENSED, brand="new")
    late = await vault.adding(SECRET, SETTINGS, scheme=SIGNING, brand="new")
    assert (await vault.waited(late)).reason == "extension_unknown"


# Fetches.


async def test_a_licence_that_shrinks_gives_nothing_out_until_it_grows_back(
    vault: Vault, client: Client
) -> None:
    await vault.given_account()
    await vault.hear_engine(ENGINE, "mail")
    await client.opened(ENGINE)

    await vault.hear(NOTHING)
    (shrunk,) = await client.fetch(ENGINE, "mail")
    (held,) = await client.fetch(ENGINE, "mail", have={"mail": 1})
    await vault.hear(LICENSED)

    assert (shrunk.refused, held.refused) == ("not_bound", "not_bound")
    assert (await vault.audited())[-1][:3] == ("fetch", "refused", "not_licensed")
    assert (await client.opened(ENGINE)).version == 1


async def test_of_a_third_partys_extension_only_what_is_installed_is_given_out(
    vault: Vault, client: Client
) -> None:
    await given_pager(vault)
    await vault.hear(installation())
    await vault.given_account(extension="pager")
    await vault.hear_engine(ENGINE, "mail")
    await client.opened(ENGINE)

    reasons: list[str] = []
    for told in (
        installation(ExtensionSuspended, state="suspended"),
        installation(uninstall_id="u1"),
    ):
        await vault.hear(told)
        (answer,) = await client.fetch(ENGINE, "mail")
        assert answer.refused == "not_bound"
        reasons.append((await vault.audited())[-1][2])

    assert reasons == ["not_licensed", "not_installed"]


async def test_a_fetch_waits_a_moment_for_news_of_the_licence(
    vault: Vault, stack: RunningStack, keys_folder: Path
) -> None:
    """Nobody is told to let go because of news that is on its way."""
    await vault.given_account()
    await vault.hear_engine(ENGINE, "mail")
    await vault.hear(NOTHING)
    await vault.execute("UPDATE account SET name = name WHERE brand_id = 'acme'")
    settings = stack.settings_of("credential-vault")
    async with serving(vault.database, settings, keys_folder, binding_wait_seconds=10) as patient:
        waiting = asyncio.create_task(patient.opened(ENGINE))

        async def has_looked() -> bool:
            # A shared lock leaves its mark; a row that was only updated has none.
            return bool(
                await vault.rows("SELECT 1 FROM account WHERE brand_id = 'acme' AND xmax <> 0")
            )

        await eventually(has_looked)
        assert not waiting.done()
        await vault.hear(LICENSED)

        assert (await waiting).version == 1
