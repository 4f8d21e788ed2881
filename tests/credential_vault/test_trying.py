"""Versions are tried at a real mail server, and become current or nothing changes."""

import asyncio

import pytest
from keyturn_contracts.credential_vault import (
    AccountVerified,
    CredentialsRotated,
    DeleteAccount,
    VerifyAccount,
)
from keyturn_contracts.message import CommandRefused

from deploy.demo.certificate import Certificate
from tests.batches import asked
from tests.credential_vault.mail import MailServer
from tests.credential_vault.vault import Vault, completed
from tests.waiting import eventually

RIGHT = {"username": "keyturn", "password": "right"}
NEXT = {"username": "keyturn", "password": "next-one"}
WRONG = {"username": "keyturn", "password": "hunter2-canary"}


@pytest.fixture
async def mail(vault: Vault, server: MailServer) -> None:
    """Add an account `mail` of the server."""
    command = await vault.adding(RIGHT, server.settings)
    await vault.deliver(command)
    await vault.tried()
    assert await vault.outcome(command) == "applied"
    server.logins.clear()


async def test_a_connection_is_really_tried(vault: Vault, server: MailServer) -> None:
    command = await vault.adding(RIGHT, server.settings)

    await vault.deliver(command)
    assert server.logins == []
    await vault.tried()

    assert server.logins == [("right", True)]
    assert await vault.outcome(command) == "applied"
    assert await vault.told() == ["AccountAdded"]


async def test_a_refused_credential_adds_nothing_and_the_answer_is_told_without_it(
    vault: Vault, server: MailServer
) -> None:
    command = await vault.adding(WRONG, server.settings)

    await vault.deliver(command)
    await vault.tried()

    answer = await vault.answer(command)
    assert isinstance(answer, CommandRefused)
    assert answer.reason == "credentials_refused"
    assert "answered 535" in answer.message
    assert "hunter2" not in answer.message
    assert await vault.told() == []
    assert await vault.versions() == {1: "refused"}
    assert await vault.rows("SELECT 1 FROM secret WHERE brand_id = 'acme'") == []
    assert (await vault.audited())[-1] == ("add", "refused", "credentials_refused", 1, "ada", None)

    again = await vault.adding(RIGHT, server.settings)
    await vault.deliver(again)
    await vault.tried()
    assert await vault.outcome(again) == "applied"
    assert await vault.versions() == {1: "refused", 2: "current"}


@pytest.mark.usefixtures("mail")
async def test_a_rotation_turns_the_key(vault: Vault, server: MailServer) -> None:
    server.passwords.add("next-one")
    command = await vault.rotating(NEXT)

    await vault.deliver(command)
    await vault.tried()

    assert server.logins == [("next-one", True)]
    assert await vault.outcome(command) == "applied"
    assert await vault.versions() == {1: "previous", 2: "current"}
    *_, rotated = await vault.events()
    assert rotated.headers["ce_causationid"] == command.id.id
    state = CredentialsRotated.model_validate_json(rotated.value)
    assert (state.version, state.unretired, state.state) == (2, (1,), "connected")


@pytest.mark.usefixtures("mail")
async def test_a_refused_rotation_changes_nothing(vault: Vault, server: MailServer) -> None:
    before = await vault.rows("SELECT * FROM account WHERE brand_id = 'acme'")
    command = await vault.rotating(WRONG)

    await vault.deliver(command)
    await vault.tried()

    assert await vault.outcome(command) == "credentials_refused"
    assert await vault.versions() == {1: "current", 2: "refused"}
    assert await vault.told() == ["AccountAdded"]
    (after,) = await vault.rows("SELECT * FROM account WHERE brand_id = 'acme'")
    assert [one for one in after if one not in before[0]] == [2], "the highest number alone"
    server.passwords.add("next-one")
    again = await vault.rotating(NEXT)
    await vault.deliver(again)
    await vault.tried()
    assert await vault.versions() == {1: "previous", 2: "refused", 3: "current"}


@pytest.mark.usefixtures("mail")
async def test_an_unreachable_provider_is_tried_again_and_then_refused(vault: Vault) -> None:
    command = await vault.rotating(NEXT, settings={"host": "localhost", "port": "1"})

    await vault.deliver(command)
    await vault.tried()
    assert await vault.outcome(command) is None
    waiting = await vault.rows(
        "SELECT try_due_at > now(), claim, leased_until FROM version WHERE status = 'pending' "
        "AND brand_id = 'acme'"
    )
    assert waiting == [(True, None, None)]
    assert await vault.trials.start_due() == 0

    await vault.execute(
        "UPDATE version SET try_due_at = now(), try_since = now() - interval '31 s' "
        "WHERE brand_id = 'acme' AND status = 'pending'"
    )
    await vault.tried()
    assert await vault.outcome(command) == "provider_unreachable"
    assert await vault.versions() == {1: "current", 2: "refused"}


@pytest.mark.usefixtures("mail")
async def test_a_provider_that_comes_back_in_time_is_asked_again(
    vault: Vault, server: MailServer
) -> None:
    server.passwords.add("next-one")
    command = await vault.rotating(NEXT, settings={"host": "localhost", "port": "1"})
    await vault.deliver(command)
    await vault.tried()
    # The port that the settings name answers from now on.
    await vault.execute(
        "UPDATE version SET try_due_at = now(), "
        "settings = jsonb_set(settings, '{port}', to_jsonb(CAST(:port AS text))) "
        "WHERE brand_id = 'acme' AND status = 'pending'",
        port=str(server.port),
    )

    await vault.tried()

    assert await vault.outcome(command) == "applied"


async def test_a_host_that_is_not_public_is_refused(vault: Vault, server: MailServer) -> None:
    strict = vault.another(allowed_private_hosts=frozenset[str]())
    for trying, host, name in ((vault, "127.0.0.1", "a"), (strict, "localhost", "b")):
        settings = {"host": host, "port": str(server.port)}
        command = await vault.adding(RIGHT, settings, account_id=name)
        await vault.deliver(command)
        await trying.tried()
        assert await vault.outcome(command) == "address_refused"
    assert server.logins == []


@pytest.mark.usefixtures("mail")
async def test_everyone_who_asks_shares_one_try(vault: Vault, server: MailServer) -> None:
    first, second = asked(VerifyAccount(account_id="mail")), asked(VerifyAccount(account_id="mail"))
    await vault.deliver(first)
    await vault.deliver(second)
    await vault.tried()

    assert server.logins == [("right", True)]
    assert [await vault.outcome(one) for one in (first, second)] == ["applied", "applied"]
    assert await vault.told() == ["AccountAdded", "AccountVerified"]


@pytest.mark.usefixtures("mail")
async def test_an_account_whose_password_is_gone_needs_attention(
    vault: Vault, server: MailServer
) -> None:
    server.passwords.clear()
    verify = asked(VerifyAccount(account_id="mail"))
    await vault.deliver(verify)
    await vault.tried()

    assert await vault.outcome(verify) == "applied"
    verified = AccountVerified.model_validate_json((await vault.events())[-1].value)
    assert verified.state == "needs_attention"
    assert verified.reason is not None
    assert "535" in verified.reason
    assert await vault.versions() == {1: "current"}

    server.passwords.add("next-one")
    await vault.deliver(await vault.rotating(NEXT))
    await vault.tried()
    rotated = CredentialsRotated.model_validate_json((await vault.events())[-1].value)
    assert (rotated.state, rotated.reason) == ("connected", None)


@pytest.mark.usefixtures("mail")
async def test_an_account_deleted_while_it_is_edited_stays_deleted(
    vault: Vault, server: MailServer
) -> None:
    server.passwords.add("next-one")
    rotate = await vault.rotating(NEXT)
    await vault.deliver(rotate)
    delete = asked(DeleteAccount(account_id="mail"))

    await vault.another(meanwhile=lambda: vault.deliver(delete)).tried()

    assert await vault.outcome(rotate) == "account_deleted"
    assert await vault.outcome(delete) == "applied"
    assert await vault.versions() == {1: "previous", 2: "refused"}
    assert await vault.told() == ["AccountAdded", "AccountDeleted"]


@pytest.mark.usefixtures("mail")
async def test_what_waits_when_an_account_is_deleted_is_answered_without_a_try(
    vault: Vault, server: MailServer
) -> None:
    rotate, verify = await vault.rotating(NEXT), asked(VerifyAccount(account_id="mail"))
    await vault.deliver(rotate, verify)
    await vault.deliver(asked(DeleteAccount(account_id="mail")))

    await vault.tried()

    assert await vault.outcome(rotate) == "account_deleted"
    assert await vault.outcome(verify) == "account_deleted"
    assert server.logins == []
    assert await vault.trials.start_due() == 0


@pytest.mark.usefixtures("mail")
async def test_who_waits_for_a_version_that_is_retired_meanwhile_is_answered(
    vault: Vault,
) -> None:
    verify = asked(VerifyAccount(account_id="mail"))
    await vault.deliver(verify, asked(DeleteAccount(account_id="mail")))
    await vault.hear(completed(version=2))
    assert await vault.retire() == 1

    await vault.tried()

    assert await vault.outcome(verify) == "account_deleted"
    assert await vault.versions() == {1: "retired"}


@pytest.mark.usefixtures("mail")
async def test_a_verification_that_a_rotation_overtakes_is_about_the_new_version(
    vault: Vault, server: MailServer
) -> None:
    server.passwords.add("next-one")
    verify = asked(VerifyAccount(account_id="mail"))
    await vault.deliver(verify, await vault.rotating(NEXT))

    await vault.tried(times=2)

    assert server.logins.count(("next-one", True)) >= 1
    assert await vault.outcome(verify) == "applied"
    assert await vault.versions() == {1: "previous", 2: "current"}
    assert (
        await vault.rows(
            "SELECT count(*) FROM version WHERE brand_id = 'acme' AND try_since IS NOT NULL"
        )
    ) == [(0,)]


@pytest.mark.usefixtures("mail")
async def test_a_try_belongs_to_one_worker_until_its_lease_has_run_out(
    vault: Vault, server: MailServer
) -> None:
    other = vault.another()
    claimed: list[int] = []

    async def look() -> None:
        claimed.append(await other.trials.start_due())

    server.passwords.add("next-one")
    await vault.deliver(await vault.rotating(NEXT))

    await vault.another(meanwhile=look).tried()

    assert claimed == [0]
    assert await vault.versions() == {1: "previous", 2: "current"}


@pytest.mark.usefixtures("mail")
async def test_a_worker_that_comes_back_late_settles_nothing_that_is_not_its_own(
    vault: Vault, server: MailServer
) -> None:
    """Its lease ran out; another one tried, was refused, and a newer edit waits by now."""
    other = vault.another()
    first = await vault.rotating(NEXT)
    newer = await vault.rotating(RIGHT)

    async def overtake() -> None:
        server.passwords.discard("next-one")
        await vault.execute(
            "UPDATE version SET leased_until = now() - interval '1 s' "
            "WHERE brand_id = 'acme' AND status = 'pending'"
        )
        await other.tried()
        assert await vault.outcome(first) == "credentials_refused"
        await vault.deliver(newer)

    server.passwords.add("next-one")
    await vault.deliver(first)
    await vault.another(meanwhile=overtake).tried()

    assert ("next-one", True) in server.logins, "the late worker's own try was accepted"
    assert await vault.outcome(first) == "credentials_refused"
    assert await vault.outcome(newer) is None
    assert await vault.versions() == {1: "current", 2: "refused", 3: "pending"}


@pytest.mark.usefixtures("mail")
async def test_a_worker_that_dies_leaves_its_try_to_the_next_one(
    vault: Vault, server: MailServer
) -> None:
    server.passwords.add("next-one")
    command = await vault.rotating(NEXT)
    await vault.deliver(command)
    died = asyncio.Event()

    async def die() -> None:
        died.set()
        await asyncio.Event().wait()

    dying = vault.another(meanwhile=die)
    await dying.trials.start_due()
    await died.wait()
    for task in asyncio.all_tasks():
        if task.get_name() == "a try at a provider":
            task.cancel()
    await dying.trials.finish()
    assert await vault.trials.start_due() == 0

    await vault.execute(
        "UPDATE version SET leased_until = now() - interval '1 s' WHERE brand_id = 'acme'"
    )
    await vault.tried()

    assert await vault.outcome(command) == "applied"


@pytest.mark.usefixtures("mail")
async def test_a_provider_that_had_enough_tries_is_left_alone_for_a_while(
    vault: Vault, server: MailServer
) -> None:
    limited = vault.another(tries_per_provider=1, tries_window_seconds=1e10)
    commands = [
        await vault.adding(RIGHT, server.settings, account_id=name) for name in ("a", "b", "c")
    ]
    await vault.deliver(*commands)

    await limited.tried(times=3)

    assert server.logins == [("right", True)]
    assert [await vault.outcome(one) for one in commands].count(None) == 2
    waiting = await vault.rows(
        "SELECT try_due_at > now(), leased_until FROM version "
        "WHERE brand_id = 'acme' AND status = 'pending'"
    )
    assert waiting == [(True, None), (True, None)]


async def test_a_slow_provider_keeps_nobody_else_waiting(
    vault: Vault, server: MailServer, certificate: Certificate
) -> None:
    asked_slowly = asyncio.Event()
    never = asyncio.Event()

    async def silence(_reader: object, writer: asyncio.StreamWriter) -> None:
        asked_slowly.set()
        await never.wait()
        writer.close()

    slow = await asyncio.start_server(silence, "127.0.0.1", 0)
    port = slow.sockets[0].getsockname()[1]
    slowly = await vault.adding(RIGHT, {"host": "localhost", "port": str(port)}, account_id="slow")
    quickly = await vault.adding(RIGHT, server.settings, account_id="quick")
    await vault.deliver(slowly)
    await vault.trials.start_due()
    await asked_slowly.wait()
    await vault.deliver(quickly)
    await vault.trials.start_due()

    async def is_answered() -> bool:
        return await vault.outcome(quickly) == "applied"

    await eventually(is_answered)
    assert await vault.outcome(slowly) is None
    never.set()
    slow.close()
    await vault.trials.finish()


@pytest.mark.usefixtures("mail")
async def test_a_row_that_was_moved_or_altered_is_never_sent_anywhere(
    vault: Vault, server: MailServer
) -> None:
    """Somebody with the database puts version 1's secret in the place of a new one."""
    command = await vault.rotating(NEXT)
    await vault.deliver(command)
    await vault.execute(
        "UPDATE secret SET key_id = old.key_id, wrapped_key = old.wrapped_key, "
        "content = old.content FROM secret AS old "
        "WHERE old.brand_id = 'acme' AND old.number = 1 AND old.account_id = 'mail' "
        "AND secret.brand_id = 'acme' AND secret.number = 2"
    )

    await vault.tried()

    assert server.logins == []
    assert await vault.outcome(command) is None


async def test_retire_now_takes_the_old_version_away_at_once(vault: Vault) -> None:
    await vault.given_account()
    await vault.given_rotation(retire="now")

    assert await vault.retire() == 1

    assert await vault.versions() == {1: "retired", 2: "current"}
    assert await vault.told() == ["AccountAdded", "CredentialsRotated", "CredentialsRetired"]
    assert (await vault.audited())[-1] == ("retire", "done", None, 1, "ada", None)
    rows = await vault.rows("SELECT number FROM secret WHERE brand_id = 'acme'")
    assert rows == [(2,)]
