"""An uninstallation deletes every account of its extension and says when it is done."""

import asyncio
from collections.abc import Mapping

import pytest
from keyturn_contracts.catalog import ExtensionPublished
from keyturn_contracts.credential_vault import (
    AccountDeleted,
    DeleteAccount,
    ExtensionCleared,
    VerifyAccount,
)
from keyturn_contracts.installation import ExtensionInstalled, ExtensionUninstalled
from keyturn_contracts.message import Key
from sqlalchemy.ext.asyncio import AsyncConnection

from services.credential_vault.jobs.clearing import clear, clear_uninstalled
from services.credential_vault.jobs.trying import Trials
from services.credential_vault.providers.provider import Providers
from services.credential_vault.providers.trust import tls_context
from services.credential_vault.rules.account import Desk
from services.credential_vault.settings import VaultSettings
from shared.messaging.handlers import Aggregate
from tests.batches import asked, news, published
from tests.credential_vault.given import PAGER, installation
from tests.credential_vault.http import Client
from tests.credential_vault.test_retiring import given_far_too_many_holders
from tests.credential_vault.vault import GivenEngine, Vault

STARTED = installation(uninstall_id="u1")


@pytest.fixture(autouse=True)
async def _installed(vault: Vault) -> None:
    await vault.hear(ExtensionPublished(manifest=PAGER, version=1))
    for brand in ("acme", "other"):
        await vault.hear(installation(), brand=brand)


async def given_pagers(vault: Vault, *account_ids: str, brand: str = "acme") -> None:
    for one in account_ids:
        await vault.given_account(one, extension="pager", brand=brand)


async def cleared(vault: Vault) -> list[tuple[str, int, bool]]:
    """Return what was announced: uninstallation, accounts, done."""
    told = [
        ExtensionCleared.model_validate_json(one.value)
        for one in await published(vault.engine)
        if one.type == "ExtensionCleared"
    ]
    assert {one.extension for one in told} <= {"pager"}
    return [(one.uninstall_id, one.accounts, one.done) for one in told]


async def states(vault: Vault, brand: str = "acme") -> dict[str, str]:
    found = await vault.rows("SELECT id, state FROM account WHERE brand_id = :brand", brand=brand)
    return {row[0]: row[1] for row in found}


async def clear_all(vault: Vault, most: int = 200) -> None:
    for _ in range(20):
        if not await vault.clear(most):
            return
    raise AssertionError("It finds the same again and again.")


async def test_all_accounts_of_the_extension_are_deleted_and_no_others(vault: Vault) -> None:
    await given_pagers(vault, "a", "b")
    await given_pagers(vault, "a", brand="other")
    await vault.given_account("mail")
    await vault.hear(STARTED)

    await clear_all(vault)

    assert await states(vault) == {"a": "deleted", "b": "deleted", "mail": "connected"}
    assert await states(vault, "other") == {"a": "connected"}
    (*_, deleted) = await vault.events("a")
    told = AccountDeleted.model_validate_json(deleted.value)
    assert (told.version, told.unretired, told.state) == (2, (1,), "deleted")
    assert deleted.headers["ce_correlationid"] == "u1"
    assert (await vault.audited("a"))[-1] == (
        "delete",
        "done",
        "uninstalled",
        2,
        "credential-vault",
        None,
    )
    assert await cleared(vault) == [("u1", 2, True)]


async def test_it_goes_in_sets_and_tells_of_each(vault: Vault) -> None:
    await given_pagers(vault, "a", "b", "c")
    await vault.hear(STARTED)

    await clear_all(vault, most=2)
    await vault.hear(STARTED)
    await clear_all(vault, most=2)

    assert await cleared(vault) == [("u1", 2, False), ("u1", 3, True)]
    assert [await vault.told(one) for one in "abc"] == [["AccountAdded", "AccountDeleted"]] * 3


async def test_without_accounts_it_is_done_at_once(vault: Vault) -> None:
    await vault.hear(STARTED)

    assert await vault.clear() == 1
    assert await vault.clear() == 0

    assert await cleared(vault) == [("u1", 0, True)]


async def test_what_a_person_deleted_is_not_counted(vault: Vault) -> None:
    await given_pagers(vault, "a", "b")
    assert await vault.outcome(asked(DeleteAccount(account_id="a"))) == "applied"
    await vault.hear(STARTED)

    await clear_all(vault)

    assert await cleared(vault) == [("u1", 1, True)]


async def test_what_dies_before_its_commit_has_done_nothing_and_is_done_later(
    vault: Vault, vault_settings: VaultSettings
) -> None:
    await given_pagers(vault, "a", "b")
    await vault.hear(STARTED)

    async with vault.engine.connect() as connection:
        assert await clear(connection, vault.accounts, 1) == 1
    before = await states(vault)
    assert await vault.clear(most=1) == 1
    after = await states(vault)
    await clear_all(Vault.on(vault.database, vault.keys, vault_settings))

    assert before == {"a": "connected", "b": "connected"}
    assert after == {"a": "deleted", "b": "connected"}
    assert await cleared(vault) == [("u1", 1, False), ("u1", 2, True)]
    assert await vault.told("a") == ["AccountAdded", "AccountDeleted"]


async def test_two_workers_count_each_account_once(vault: Vault) -> None:
    await given_pagers(vault, *"abcdef")
    await vault.hear(STARTED)

    async def work() -> None:
        for _ in range(10):
            await clear_uninstalled(vault.engine, vault.accounts, lambda: None, most=2)

    await asyncio.gather(work(), work())
    await clear_all(vault)

    assert (await cleared(vault))[-1] == ("u1", 6, True)
    assert set((await states(vault)).values()) == {"deleted"}


async def test_an_account_that_is_being_added_is_refused_and_only_then_it_is_done(
    vault: Vault,
) -> None:
    command = await vault.adding(
        {"secret": "s"}, {"host": "mail.example.com"}, scheme="signing-secret", extension="pager"
    )
    await vault.deliver(command)
    await vault.hear(STARTED)

    assert await vault.clear() == 0
    await vault.tried()
    assert await vault.clear() == 1

    assert await vault.outcome(command) == "not_installed"
    assert await cleared(vault) == [("u1", 0, True)]
    assert await vault.told() == []


async def test_an_account_that_was_accepted_before_the_news_came_is_deleted_after_it(
    vault: Vault,
) -> None:
    """Its worker saw the extension installed; the job comes while it has not committed yet."""
    command = await vault.adding(
        {"secret": "s"}, {"host": "mail.example.com"}, scheme="signing-secret", extension="pager"
    )
    await vault.deliver(command)
    seen: list[int] = []

    async def save_late(connection: AsyncConnection, changed: Mapping[Key, Desk]) -> None:
        await vault.hear(STARTED)
        seen.append(await vault.clear())
        await vault.accounts.save(connection, changed)

    trials = Trials(
        vault.engine,
        Aggregate(lock=vault.accounts.lock, save=save_late),
        keys=vault.keys,
        providers=Providers(vault.settings, None, tls_context(None)),
        settings=vault.settings,
        wake=lambda: None,
    )
    await trials.start_due()

    assert seen == [0]
    assert await vault.outcome(command) == "applied"
    await clear_all(vault)
    assert await vault.told() == ["AccountAdded", "AccountDeleted"]
    assert await cleared(vault) == [("u1", 1, True)]


async def test_from_the_news_on_nothing_is_added_changed_or_tried(vault: Vault) -> None:
    await given_pagers(vault, "mail")
    await vault.hear(STARTED)

    commands = (
        await vault.adding({"secret": "s"}, {"host": "h"}, account_id="x", extension="pager"),
        await vault.rotating({"secret": "s"}),
        asked(VerifyAccount(account_id="mail")),
    )

    assert [await vault.outcome(one) for one in commands] == ["not_installed"] * 3


async def test_an_edit_that_is_under_way_is_refused_with_its_account(vault: Vault) -> None:
    await given_pagers(vault, "mail")
    rotation = await vault.rotating({"secret": "s"})
    await vault.deliver(rotation)
    await vault.hear(STARTED)

    await clear_all(vault)
    await vault.tried()

    assert await vault.outcome(rotation) == "account_deleted"
    assert await vault.told() == ["AccountAdded", "AccountDeleted"]


async def test_holders_are_answered_deleted(vault: Vault, client: Client) -> None:
    engine = GivenEngine()
    await given_pagers(vault, "mail")
    await vault.hear_engine(engine, "mail")
    await client.opened(engine)
    await vault.hear(STARTED)

    await clear_all(vault)

    (answer,) = await client.fetch(engine, "mail")
    assert (answer.deleted, answer.version) == (True, 2)


async def test_an_extension_that_is_installed_again_is_counted_anew(vault: Vault) -> None:
    await given_pagers(vault, "a", "b")
    await vault.hear(STARTED)
    await clear_all(vault)
    await vault.hear(installation(ExtensionUninstalled, uninstall_id="u1", state="uninstalled"))
    await clear_all(vault)
    await vault.hear(installation(ExtensionInstalled))
    await given_pagers(vault, "c")
    await clear_all(vault)
    await vault.hear(installation(uninstall_id="u2"))

    await clear_all(vault)

    assert await cleared(vault) == [("u1", 2, True), ("u2", 1, True)]


async def test_accounts_that_a_restore_brings_back_are_deleted_again(vault: Vault) -> None:
    await given_pagers(vault, "a")
    uninstalled = installation(ExtensionUninstalled, uninstall_id="u1", state="uninstalled")
    await vault.hear(uninstalled)

    await clear_all(vault)

    assert await states(vault) == {"a": "deleted"}
    assert await cleared(vault) == [("u1", 1, True)]


async def test_old_news_begins_nothing(vault: Vault) -> None:
    await given_pagers(vault, "a")
    await vault.deliver(news(installation(), 90))
    await vault.deliver(news(STARTED, 89))

    assert await vault.clear() == 0
    assert await states(vault) == {"a": "connected"}


async def test_an_account_that_cannot_be_deleted_holds_up_no_other_and_it_is_not_done(
    vault: Vault,
) -> None:
    await given_pagers(vault, "a", "b")
    await vault.given_rotation("a")
    await given_far_too_many_holders(vault, "a")
    await vault.hear(STARTED)

    await clear_all(vault)

    assert await states(vault) == {"a": "connected", "b": "deleted"}
    assert await cleared(vault) == [("u1", 1, False)]
    await vault.execute("DELETE FROM holder WHERE brand_id = 'acme'")
    await clear_all(vault)
    assert await cleared(vault) == [("u1", 1, False), ("u1", 2, True)]
