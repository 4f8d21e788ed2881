"""Fetches by engines: who gets what, and what is on record before the answer leaves."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from keyturn_contracts.credential_vault import (
    CredentialFetched,
    CredentialsAnswer,
    CredentialsRotated,
    DeleteAccount,
)
from keyturn_contracts.receipt import is_receipt
from keyturn_contracts.sealing import SealedError, open_for_engine
from keyturn_contracts.workflow import Reach

from services.credential_vault.rules.editing import conclude_edit
from services.credential_vault.rules.trial import Trial
from services.credential_vault.store.accounts import all_of
from services.credential_vault.store.claims import claim_trials
from services.credential_vault.store.fetches import Fetched, lock_shared, record_holders
from shared.decisions import Applied
from tests.batches import asked, published
from tests.credential_vault.given import granted
from tests.credential_vault.http import Client, open_answer, serving, token_of
from tests.credential_vault.vault import GivenEngine, Vault, bound
from tests.running_stack import RunningStack
from tests.waiting import eventually

ENGINE = GivenEngine()


async def fetched_events(vault: Vault) -> list[CredentialFetched]:
    return [
        CredentialFetched.model_validate_json(one.value)
        for one in await published(vault.engine)
        if one.type == "CredentialFetched"
    ]


async def test_an_engine_gets_the_current_version_sealed_to_its_own_key(
    vault: Vault, client: Client
) -> None:
    await vault.given_account(value="hunter2-canary")
    await vault.hear_engine(ENGINE, "mail")

    (answer,) = await client.fetch(ENGINE, "mail")

    opened = open_answer(answer, ENGINE)
    assert opened.version == 1
    assert {n: one.get_secret_value() for n, one in opened.fields.items()} == {
        "secret": "hunter2-canary"
    }
    assert opened.settings["host"] == "mail.example.com"
    (event,) = await fetched_events(vault)
    assert (event.account_id, event.engine_id, event.version) == ("mail", "e1", 1)
    assert is_receipt(opened.receipt, event.receipt_sha256)
    assert event.lease_until is None
    assert (await vault.audited())[-1] == (
        "fetch",
        "done",
        "sealed",
        1,
        "acme/engines/e1",
        "e1",
    )


async def test_nobody_else_opens_the_answer(vault: Vault, client: Client) -> None:
    await vault.given_account()
    await vault.hear_engine(ENGINE, "mail")
    (answer,) = await client.fetch(ENGINE, "mail")
    assert answer.sealed is not None

    for engine in (GivenEngine(), GivenEngine(id="e2", enc=ENGINE.enc)):
        with pytest.raises(SealedError):
            open_for_engine(
                answer.sealed,
                engine.enc,
                brand="acme",
                account_id="mail",
                version=1,
                engine_id=engine.id,
            )


async def test_a_fetch_answers_the_newest_version_alone(vault: Vault, client: Client) -> None:
    await vault.given_account(value="first")
    await vault.hear_engine(ENGINE, "mail")
    await client.opened(ENGINE)
    await vault.given_rotation(value="second")

    opened = await client.opened(ENGINE)

    assert opened.version == 2
    assert opened.fields["secret"].get_secret_value() == "second"


async def test_a_pending_version_is_never_answered(vault: Vault, client: Client) -> None:
    await vault.given_account(value="first")
    await vault.hear_engine(ENGINE, "mail")
    await vault.deliver(await vault.rotating({"secret": "second"}))

    assert (await client.opened(ENGINE)).version == 1


async def test_a_repeated_fetch_is_announced_once_and_on_record_each_time(
    vault: Vault, client: Client
) -> None:
    await vault.given_account()
    await vault.hear_engine(ENGINE, "mail")

    for _ in range(3):
        await client.opened(ENGINE)
    await vault.given_rotation()
    await client.opened(ENGINE)

    assert [one.version for one in await fetched_events(vault)] == [1, 2]
    reads = [row for row in await vault.audited() if row[0] == "fetch"]
    assert [(row[2], row[3]) for row in reads] == [("sealed", 1)] * 3 + [("sealed", 2)]


async def test_the_same_account_twice_in_one_fetch_is_one_holder(
    vault: Vault, client: Client
) -> None:
    await vault.given_account()
    await vault.hear_engine(ENGINE, "mail")

    answers = await client.fetch(ENGINE, "mail", "mail")

    assert [open_answer(one, ENGINE).version for one in answers] == [1, 1]
    assert len(await fetched_events(vault)) == 1


async def test_who_has_the_current_version_is_told_so_and_stays_on_record(
    vault: Vault, client: Client
) -> None:
    await vault.given_account()
    await vault.hear_engine(ENGINE, "mail")
    await client.opened(ENGINE)

    answers = await client.fetch(ENGINE, "mail", have={"mail": 1})
    await vault.given_rotation()
    (newer,) = await client.fetch(ENGINE, "mail", have={"mail": 1})

    assert answers == [CredentialsAnswer(id="mail", version=1, unchanged=True)]
    assert open_answer(newer, ENGINE).version == 2
    assert [row[2] for row in await vault.audited() if row[0] == "fetch"] == [
        "sealed",
        "unchanged",
        "sealed",
    ]


async def test_saying_to_have_it_makes_nobody_less_of_a_holder(
    vault: Vault, client: Client
) -> None:
    await vault.given_account()
    await vault.hear_engine(ENGINE, "mail")

    await client.fetch(ENGINE, "mail", have={"mail": 1})

    assert [one.version for one in await fetched_events(vault)] == [1]


async def test_a_rotation_names_every_engine_that_holds_something(
    vault: Vault, client: Client
) -> None:
    await vault.given_account()
    other = GivenEngine(id="e2", kind="leasing", lease_seconds=300)
    await vault.hear_engine(ENGINE, "mail")
    await vault.hear_engine(other, "mail")
    await client.opened(ENGINE)
    before = datetime.now(UTC)
    await client.opened(other)
    first = await lease_of(vault, "e2")
    await client.fetch(other, "mail", have={"mail": 1})

    await vault.given_rotation()

    rotated = CredentialsRotated.model_validate_json((await vault.events())[-1].value)
    assert [one.engine_id for one in rotated.holders] == ["e1", "e2"]
    assert rotated.holders[0].lease_until is None
    until = rotated.holders[1].lease_until
    assert until is not None
    assert until > first >= before + timedelta(seconds=300)
    assert [one.lease_until for one in await fetched_events(vault)] == [None, first]


async def lease_of(vault: Vault, engine_id: str) -> datetime:
    ((lease,),) = await vault.rows(
        "SELECT lease_until FROM holder WHERE brand_id = 'acme' AND engine_id = :engine",
        engine=engine_id,
    )
    return lease


async def test_an_engine_that_binds_a_strangers_account_gets_nothing_outside_its_reach(
    vault: Vault, client: Client
) -> None:
    """It lies about every owner, so every binding that it wants is allowed."""
    liars = [
        GivenEngine(id="by-account", reach=Reach(accounts=("other",))),
        GivenEngine(id="by-extension", reach=Reach(extensions=("slack",))),
        GivenEngine(id="nothing", reach=Reach()),
    ]
    await vault.given_account(value="hunter2-canary")
    for liar in liars:
        await vault.hear_engine(liar, "mail")
        answers = await client.fetch(liar, "mail", "mail", have={"mail": 1})
        assert answers == [CredentialsAnswer(id="mail", refused="out_of_reach")] * 2

    assert await fetched_events(vault) == []
    reads = [row for row in await vault.audited() if row[0] == "fetch"]
    assert [(row[1], row[2], row[5]) for row in reads] == [
        ("refused", "out_of_reach", liar.id) for liar in liars for _ in range(2)
    ]
    assert await vault.rows("SELECT 1 FROM holder WHERE brand_id = 'acme'") == []


async def test_of_what_does_not_exist_an_engine_learns_no_more_than_of_what_it_may_not_reach(
    vault: Vault, client: Client
) -> None:
    await vault.given_account()
    narrow = GivenEngine(reach=Reach(extensions=("slack",)))
    await vault.hear_engine(narrow, "mail", "nothing-here")

    answers = await client.fetch(narrow, "mail", "nothing-here")

    assert [one.refused for one in answers] == ["out_of_reach", "out_of_reach"]


async def test_an_engine_without_an_allowed_binding_is_refused_and_on_record(
    vault: Vault, client: Client
) -> None:
    await vault.given_account("mail")
    await vault.given_account("post")
    await vault.hear_engine(ENGINE)
    await vault.hear(bound("e1", "post", allowed=False))

    answers = await client.fetch(ENGINE, "mail", "post", "unknown")

    assert [one.refused for one in answers] == ["not_bound", "not_bound", "account_unknown"]
    assert [row[2] for row in await vault.audited("post") if row[0] == "fetch"] == ["not_bound"]
    assert [row[2] for row in await vault.audited("unknown")] == ["account_unknown"]


async def test_an_account_that_is_being_added_is_not_there_yet(
    vault: Vault, client: Client
) -> None:
    await vault.hear_engine(ENGINE, "mail")
    await vault.deliver(
        await vault.adding({"secret": "s"}, {"host": "a.example"}, scheme="signing-secret")
    )

    (answer,) = await client.fetch(ENGINE, "mail")

    assert answer.refused == "account_unknown"


async def test_a_binding_whose_news_is_on_its_way_is_waited_for(
    vault: Vault, stack: RunningStack, keys_folder: Path
) -> None:
    await vault.given_account()
    await vault.hear_engine(ENGINE)
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
        await vault.hear(bound("e1", "mail"))

        assert (await waiting).version == 1


async def test_while_nothing_is_heard_of_bindings_an_engine_gets_what_is_rotated(
    vault: Vault, client: Client
) -> None:
    """The workflow service is down: who lost the account is not known to be behind the binding."""
    await vault.given_account()
    await vault.hear_engine(ENGINE, "mail")
    await vault.given_rotation()
    await vault.hear(granted(member="bob", level="user", is_ended=True))

    assert (await client.opened(ENGINE)).version == 2

    # What the vault hears by itself holds all the same.
    await vault.deliver(asked(DeleteAccount(account_id="mail")))
    (answer,) = await client.fetch(ENGINE, "mail")
    assert answer.deleted


async def test_a_retired_engine_is_refused_and_on_record(vault: Vault, client: Client) -> None:
    await vault.given_account()
    await vault.hear_engine(ENGINE, "mail")
    await vault.hear(ENGINE.registered(state="retired"))

    (answer,) = await client.fetch(ENGINE, "mail")

    assert answer.refused == "out_of_reach"
    assert (await vault.audited())[-1][:3] == ("fetch", "refused", "engine_retired")


async def test_a_deleted_account_is_answered_as_deleted_with_what_to_confirm(
    vault: Vault, client: Client
) -> None:
    await vault.given_account()
    await vault.hear_engine(ENGINE, "mail")
    await client.opened(ENGINE)
    await vault.deliver(asked(DeleteAccount(account_id="mail")))
    await vault.hear(bound("e1", "mail", allowed=False))

    answers = await client.fetch(ENGINE, "mail", have={"mail": 1})

    assert answers == [CredentialsAnswer(id="mail", version=2, deleted=True)]
    assert [one.version for one in await fetched_events(vault)] == [1]


async def test_a_version_that_does_not_open_is_unavailable_and_nobody_holds_it(
    vault: Vault, client: Client
) -> None:
    """Somebody with the database has put another account's row in its place."""
    await vault.given_account("mail")
    await vault.given_account("post", value="hunter2-canary")
    await vault.hear_engine(ENGINE, "mail", "post")
    await vault.execute(
        "UPDATE secret SET key_id = other.key_id, wrapped_key = other.wrapped_key, "
        "content = other.content FROM secret AS other WHERE other.brand_id = 'acme' "
        "AND other.account_id = 'post' AND secret.brand_id = 'acme' "
        "AND secret.account_id = 'mail'"
    )

    mail, post = await client.fetch(ENGINE, "mail", "post")

    assert mail == CredentialsAnswer(id="mail", refused="unavailable")
    assert open_answer(post, ENGINE).version == 1
    assert [one.account_id for one in await fetched_events(vault)] == ["post"]
    assert (await vault.audited())[-1][:3] == ("fetch", "refused", "unavailable")


async def test_a_rotation_between_authorisation_and_answer_loses_no_holder(
    vault: Vault,
) -> None:
    """The rotation waits for the fetch that holds the account, and then names its engine."""
    await vault.given_account()
    await vault.deliver(await vault.rotating({"secret": "second"}))
    async with vault.engine.connect() as fetch, fetch.begin() as transaction:
        accounts = await lock_shared(fetch, "acme", ["mail"])
        assert accounts["mail"][0].version == 1
        rotating = asyncio.create_task(vault.tried())
        await eventually(lambda: somebody_waits(vault))
        assert await vault.versions() == {1: "current", 2: "pending"}
        await record_holders(fetch, "acme", [Fetched("mail", "e9", 1, None)])
        await transaction.commit()
    await rotating

    rotated = CredentialsRotated.model_validate_json((await vault.events())[-1].value)
    assert rotated.version == 2
    assert [one.engine_id for one in rotated.holders] == ["e9"]


async def test_a_fetch_that_waits_for_a_rotation_answers_the_new_version(
    vault: Vault, client: Client
) -> None:
    await vault.given_account(value="first")
    await vault.hear_engine(ENGINE, "mail")
    await vault.deliver(await vault.rotating({"secret": "second"}))
    async with vault.engine.begin() as connection:
        (pending,) = await claim_trials(connection, 1, timedelta(minutes=1))
    trial = Trial(number=2, claim=pending.claim, at=datetime.now(UTC), verdict="accepted")

    async with vault.engine.begin() as rotation:
        desks = await vault.accounts.lock(rotation, all_of([pending.key]))
        promoted = conclude_edit(desks[pending.key], trial)
        assert isinstance(promoted, Applied)
        await vault.accounts.save(rotation, {pending.key: promoted.state})
        fetching = asyncio.create_task(client.opened(ENGINE))
        await eventually(lambda: somebody_waits(vault))
    opened = await fetching

    assert (opened.version, opened.fields["secret"].get_secret_value()) == (2, "second")


async def somebody_waits(vault: Vault) -> bool:
    """Tell whether a transaction waits for another one's lock."""
    return bool(await vault.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))


async def test_two_engines_fetch_at_the_same_time_without_waiting_for_each_other(
    vault: Vault, client: Client
) -> None:
    await vault.given_account()
    await vault.hear_engine(ENGINE, "mail")
    async with vault.engine.connect() as other:
        await lock_shared(other, "acme", ["mail"])

        assert (await client.opened(ENGINE)).version == 1

        await other.rollback()


async def test_fetches_by_anyone_but_a_known_engine_are_refused(
    vault: Vault, client: Client
) -> None:
    await vault.given_account()
    await vault.hear_engine(ENGINE, "mail")
    stranger = GivenEngine(id="never-registered")
    impostor = GivenEngine()
    person = token_of(
        client.issuer.key, issuer="local", subject="ada", brand="acme", roles=("administrator",)
    )
    borrowed = token_of(
        ENGINE.sig,
        issuer="acme/engines/e1",
        subject="acme/engines/e1",
        brand="other",
        roles=(),
    )

    for engine in (stranger, impostor):
        assert (await client.ask(engine, "mail")).status_code == 401
    for token, status in ((person, 403), (borrowed, 401), ("x", 401)):
        answer = await client.http.post(
            "/v1/credentials",
            json={"accounts": [{"id": "mail"}]},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code == status, answer.text
    assert (await client.http.post("/v1/credentials", json={"accounts": []})).status_code == 401
    assert await fetched_events(vault) == []


async def test_an_engine_of_another_brand_with_the_same_id_gets_its_own_brands_account_alone(
    vault: Vault, client: Client
) -> None:
    await vault.given_account(value="acmes-own")
    await vault.given_account(value="others-own", brand="other")
    theirs = GivenEngine(brand="other")
    await vault.hear_engine(theirs, "mail")
    await vault.hear_engine(ENGINE, "mail")

    for engine, value in ((theirs, "others-own"), (ENGINE, "acmes-own")):
        opened = await client.opened(engine)
        assert opened.fields["secret"].get_secret_value() == value


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"accounts": []},
        {"accounts": [{"id": "no spaces"}]},
        {"accounts": [{"id": "mail", "have": 0}]},
        {"accounts": [{"id": str(n)} for n in range(201)]},
    ],
)
async def test_what_is_no_fetch_is_refused_without_a_trace(
    vault: Vault, client: Client, body: dict[str, object]
) -> None:
    await vault.hear_engine(ENGINE, "mail")
    token = token_of(
        ENGINE.sig, issuer="acme/engines/e1", subject="acme/engines/e1", brand="acme", roles=()
    )

    answer = await client.http.post(
        "/v1/credentials",
        content=json.dumps(body),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )

    assert answer.status_code == 422
    assert await vault.rows("SELECT 1 FROM audit WHERE brand_id = 'acme'") == []


async def test_the_lease_that_ends_last_is_kept_whichever_fetch_is_recorded_first(
    vault: Vault,
) -> None:
    later = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
    for until in (later, later - timedelta(seconds=20)):
        async with vault.engine.begin() as connection:
            await record_holders(connection, "acme", [Fetched("mail", "e2", 1, until)])

    assert await lease_of(vault, "e2") == later
