"""Commands and news as they come: in batches, again, and beside another brand's."""

import base64
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from keyturn_contracts.actor import Role
from keyturn_contracts.credential_vault import (
    DeleteAccount,
    EditAccount,
    VerifyAccount,
)
from keyturn_contracts.ids import new_id
from keyturn_contracts.message import CommandApplied
from sqlalchemy import event

from services.credential_vault.tables import Base
from shared.database.migrate import differences
from shared.decisions import NotYetKnown
from shared.messaging.batch import apply_batch
from shared.messaging.tables import Base as MessagingBase
from tests.batches import Database, asked, news
from tests.credential_vault.given import PUBLISHED
from tests.credential_vault.vault import Vault

SECRET = {"secret": "hunter2-canary"}
SETTINGS = {"host": "mail.example.com"}


async def test_the_migrations_make_what_the_tables_say(database: Database) -> None:
    async with database.writer.connect() as connection:
        assert await differences(connection, Base.metadata, MessagingBase.metadata) == []


async def test_an_account_is_added_when_its_provider_has_answered(vault: Vault) -> None:
    command = await vault.adding(SECRET, SETTINGS, scheme="signing-secret")

    batch = await vault.deliver(command)
    assert batch.later == [command.id]
    assert await vault.told() == []
    await vault.tried()

    answer = await vault.answer(command)
    assert isinstance(answer, CommandApplied)
    assert [one.sequence for one in answer.events] == [1]
    (added,) = await vault.events()
    assert added.type == "AccountAdded"
    assert added.headers["ce_causationid"] == command.id.id
    assert await vault.versions() == {1: "current"}
    assert await vault.audited() == [
        ("add", "begun", None, 1, "ada", None),
        ("add", "done", None, 1, "ada", None),
    ]


async def test_credentials_lie_encrypted_under_a_data_key_of_their_own(vault: Vault) -> None:
    await vault.given_account("mail", value="hunter2-canary")
    await vault.given_account("post", value="hunter2-canary")

    rows = await vault.rows("SELECT wrapped_key, content FROM secret WHERE brand_id = 'acme'")

    assert len(rows) == len({wrapped for wrapped, _ in rows}) == 2
    assert not any(b"hunter2" in content for _, content in rows)


@pytest.mark.parametrize("roles", [("member",), ("operator",), ()])
async def test_only_an_administrator_adds(vault: Vault, roles: tuple[Role, ...]) -> None:
    command = await vault.adding(SECRET, SETTINGS, scheme="signing-secret", roles=roles)

    assert await vault.outcome(command) == "not_an_administrator"


async def test_an_unknown_extension_is_waited_for(vault: Vault) -> None:
    command = await vault.adding(SECRET, SETTINGS, extension="not-yet")

    batch = await vault.deliver(command)

    assert [type(one.cause) for one in batch.held] == [NotYetKnown]


async def test_sealed_credentials_are_worth_nothing_in_any_other_command(vault: Vault) -> None:
    """A copy from another account, another command, another brand, or altered on the way."""
    command_id = new_id()
    sealed = await vault.seal(SECRET, "mail", command_id)
    altered = sealed[:-4] + ("AAAA" if sealed[-4:] != "AAAA" else "BBBB")
    copies = [
        ("post", command_id, "acme", sealed),
        ("mail", new_id(), "acme", sealed),
        ("mail", command_id, "other", sealed),
        ("mail", command_id, "acme", altered),
        ("mail", command_id, "acme", "no.jwe.at.all.x"),
        ("mail", command_id, "acme", "x"),
    ]
    for account_id, id_, brand, copied in copies:
        honest = await vault.adding(
            SECRET, SETTINGS, scheme="signing-secret", account_id=account_id, brand=brand
        )
        command = honest.command.model_copy(update={"sealed": copied})
        forged = asked(command, brand=brand, roles=("administrator",), command_id=id_)
        assert await vault.refused_in_vain(forged) == "sealed_invalid"
    assert await vault.rows("SELECT 1 FROM version WHERE brand_id <> 'twin'") == []


@pytest.mark.parametrize("kid", ["a\x00b", "\ud800", "x" * 5000])
async def test_a_key_s_name_that_no_database_takes_is_refused(vault: Vault, kid: str) -> None:
    honest = await vault.adding(SECRET, SETTINGS, scheme="signing-secret")
    header = base64.urlsafe_b64encode(json.dumps({"kid": kid}).encode()).decode().rstrip("=")
    command = honest.command.model_copy(update={"sealed": f"{header}.a.b.c.d"})
    forged = asked(command, roles=("administrator",))

    assert await vault.refused_in_vain(forged) == "sealed_invalid"


async def test_a_command_that_is_refused_leaves_its_neighbours_alone(vault: Vault) -> None:
    bad = await vault.adding({"secret": ""}, SETTINGS, scheme="signing-secret", account_id="bad")
    good = await vault.adding(SECRET, SETTINGS, scheme="signing-secret", account_id="good")
    worse = await vault.adding(SECRET, {}, scheme="signing-secret", account_id="worse")

    batch = await vault.deliver(bad, good, worse)

    assert [getattr(outcome, "reason", "") for _, outcome in batch.answers] == [
        "fields_invalid",
        "settings_invalid",
    ]
    assert batch.later == [good.id]


async def test_commands_of_one_account_see_each_others_effect(vault: Vault) -> None:
    await vault.given_account()
    rename = asked(EditAccount(account_id="mail", name="Post"))
    again = asked(EditAccount(account_id="mail", name="Post"))
    delete = asked(DeleteAccount(account_id="mail"))
    too_late = asked(EditAccount(account_id="mail", name="Later"))

    batch = await vault.deliver(rename, again, delete, too_late)

    answers = dict(batch.answers)
    changed = [getattr(answers[one.id], "changed", None) for one in (rename, again, delete)]
    assert changed == [True, False, True]
    assert getattr(answers[too_late.id], "reason", "") == "account_unknown"
    assert await vault.told() == ["AccountAdded", "AccountEdited", "AccountDeleted"]
    assert [one.sequence for one in await vault.events()] == [1, 2, 3]


async def test_another_brand_with_the_same_ids_is_another_world(vault: Vault) -> None:
    await vault.given_account()
    foreign = asked(EditAccount(account_id="mail", name="Mine now"), brand="other")

    assert await vault.outcome(foreign) == "account_unknown"


async def test_one_edit_at_a_time_in_one_batch_too(vault: Vault) -> None:
    await vault.given_account()
    first, second = await vault.rotating(SECRET), await vault.rotating(SECRET)

    batch = await vault.deliver(first, second)

    assert batch.later == [first.id]
    assert await vault.outcome(second) == "edit_in_progress"
    assert await vault.versions() == {1: "current", 2: "pending"}


async def test_news_is_kept_whatever_its_order_and_however_often_it_comes(vault: Vault) -> None:
    newer = PUBLISHED.model_copy(update={"version": 2})
    await vault.deliver(news(newer, 9, brand="platform"), news(PUBLISHED, 8, brand="platform"))
    await vault.deliver(news(PUBLISHED, 7, brand="platform"))

    rows = await vault.rows("SELECT event -> 'version', sequence FROM extension")

    assert rows == [(2, 9)]


async def test_the_number_of_statements_does_not_depend_on_the_number_of_commands(
    vault: Vault,
) -> None:
    counted = Counter[int]()
    for size in (1, 40):
        names = [f"{size}-{n}" for n in range(size)]
        for name in names:
            await vault.given_account(name)
        commands: list[Any] = [await vault.rotating(SECRET, account_id=name) for name in names]
        commands += [asked(VerifyAccount(account_id=name)) for name in names]
        commands += [asked(DeleteAccount(account_id=name)) for name in names]

        def count(*_: object, size: int = size) -> None:
            counted[size] += 1

        event.listen(vault.engine.sync_engine, "before_cursor_execute", count)
        async with vault.engine.begin() as connection:
            await apply_batch(connection, vault.handlers, commands)
        event.remove(vault.engine.sync_engine, "before_cursor_execute", count)

    assert counted[1] == counted[40]


async def test_a_command_to_a_transport_key_that_is_not_accepted_any_more_is_refused(
    vault: Vault,
) -> None:
    command = await vault.adding(SECRET, SETTINGS, scheme="signing-secret")
    at_the_end = datetime.now(UTC) + timedelta(days=3)
    for at, expected in (
        (at_the_end - timedelta(minutes=1), None),
        (at_the_end + timedelta(minutes=1), "transport_key_expired"),
    ):
        again = asked(
            command.command,
            roles=("administrator",),
            command_id=command.id.id,
            at=at,
        )
        async with vault.engine.connect() as connection:
            batch = await apply_batch(connection, vault.handlers, [again])
        outcomes = [getattr(outcome, "reason", None) for _, outcome in batch.answers]
        assert outcomes == ([] if expected is None else [expected])


async def test_a_key_that_the_vault_never_had_is_refused_as_expired(vault: Vault) -> None:
    command = await vault.adding(SECRET, SETTINGS, scheme="signing-secret")
    await vault.execute("DELETE FROM transport_key")

    assert await vault.outcome(command) == "transport_key_expired"
