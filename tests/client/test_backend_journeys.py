"""What a backend system sees: real services, real Kafka, a real mail server."""

import asyncio
from contextlib import aclosing
from datetime import timedelta

import pytest
from keyturn_client import (
    Backend,
    Engine,
    Fetched,
    NoOutcomeYetError,
    NotAllowedError,
    NotFoundError,
    RejectedError,
    UnreachableError,
    Workflows,
)
from keyturn_contracts.credential_vault import AccountAdded, EditAccount
from keyturn_contracts.keys import Jwks
from keyturn_contracts.message import CommandRefused
from keyturn_contracts.proof import check
from keyturn_contracts.workflow import RetireEngine, RolloutChanged

from tests.client.world import Brand, applied, workflows
from tests.waiting import eventually


async def apply(credential: Fetched, workflows: Workflows) -> None:
    """Have nothing to switch: runs ask at their beginning."""


async def test_a_refusal_is_an_answer(brand: Brand) -> None:
    found = await brand.backend.ask(EditAccount(account_id="nobody", name="Post"))
    assert isinstance(found, CommandRefused)
    assert (found.command, found.reason) == ("EditAccount", "account_unknown")
    assert found.message


async def test_a_wrong_password_is_refused_with_what_the_provider_said(brand: Brand) -> None:
    await brand.add_account("mail", "first")
    wrong = await brand.backend.prepare_rotation("mail", fields=brand.fields("not known there"))
    found = await brand.backend.ask(wrong)
    assert isinstance(found, CommandRefused)
    assert found.reason == "credentials_refused"
    assert "not known there" not in found.message


async def test_a_command_sent_again_takes_effect_once_and_gets_its_old_outcome(
    brand: Brand,
) -> None:
    await brand.add_account("mail", "first")
    await brand.mail.add("second", "second")
    rotation = await brand.backend.prepare_rotation("mail", fields=brand.fields("second"))
    first = await brand.backend.ask(rotation)
    again = await brand.backend.ask(rotation)
    assert again == first
    assert (await brand.backend.queries.account("mail"))["version"] == 2


async def test_what_a_process_did_not_see_the_outcome_of_the_next_one_asks_for(
    brand: Brand,
) -> None:
    await brand.add_account("mail", "first")
    await brand.mail.add("second", "second")
    settings = brand.world.backend_settings(brand.name).model_copy(
        update={"kept": brand.folder / "kept"}
    )
    async with Backend(settings) as backend:
        rotation = await backend.prepare_rotation("mail", fields=brand.fields("second"))
        await backend.publish(rotation)
    async with Backend(settings) as backend:
        assert backend.unanswered() == [rotation]
        applied(await backend.ask(rotation))
        assert backend.unanswered() == []
    assert (await brand.backend.queries.account("mail"))["version"] == 2


async def test_an_outcome_that_has_not_come_is_said_and_comes_later(brand: Brand) -> None:
    await brand.register_engine()
    brand.world.stop("workflow")
    try:
        with pytest.raises(NoOutcomeYetError, match="it takes effect once"):
            await brand.backend.ask(RetireEngine(engine_id="e1"), within=timedelta(seconds=2))
        with pytest.raises(UnreachableError, match="workflow does not answer"):
            await brand.backend.queries.rollout("mail.2")
    finally:
        brand.world.start("workflow")
        await asyncio.to_thread(brand.world.wait_ready, "workflow")
    again = applied(await brand.backend.ask(RetireEngine(engine_id="e1")))
    # The first one had taken effect.
    assert not again.changed


async def test_roles_are_the_askers_own(brand: Brand) -> None:
    settings = brand.world.backend_settings(brand.name, subject="mallory", roles=["member"])
    async with Backend(settings) as backend:
        found = await backend.ask(RetireEngine(engine_id="e1"))
        assert isinstance(found, CommandRefused)
        assert found.reason == "not_an_administrator"
        with pytest.raises(NotAllowedError, match="Only an administrator"):
            _ = [one async for one in backend.queries.engines()]


async def test_a_rollout_is_watched_from_before_it_opens_to_its_end(brand: Brand) -> None:
    await brand.add_account("mail", "first")
    engine_settings = await brand.register_engine()
    seen: list[RolloutChanged] = []

    async def watch() -> None:
        async with aclosing(brand.backend.watch_rollout("mail.2")) as changes:
            async for change in changes:
                seen.append(change)  # noqa: PERF401  it is looked at while it grows

    async with Engine(engine_settings, apply) as engine:
        await engine.save(workflows("w1"))
        await eventually(lambda: engine.status().accounts["mail"].version == 1)
        watching = asyncio.ensure_future(watch())
        async with engine.run("w1"):
            await brand.rotate("mail", "second")
            await eventually(lambda: [one.state for one in seen][:1] == ["open"])
        await watching
    assert seen[-1].state == "completed"
    # Whoever comes late is told how it ended.
    late = [one.state async for one in brand.backend.watch_rollout("mail.2")]
    assert late == ["completed"]


async def test_events_of_a_service_are_read_as_they_come_and_from_the_start(brand: Brand) -> None:
    await brand.add_account("mail", "first")
    async with aclosing(brand.backend.events("credential-vault", from_start=True)) as events:
        heard = await anext(events)
    assert isinstance(heard.event, AccountAdded)
    assert (heard.event.account_id, heard.brand) == ("mail", brand.name)
    assert (heard.epoch, heard.sequence) == (1, 1)


async def test_who_depends_on_an_account_how_far_it_has_got_and_the_proof(brand: Brand) -> None:
    await brand.add_account("mail", "first")
    engine_settings = await brand.register_engine()
    queries = brand.backend.queries
    async with Engine(engine_settings, apply) as engine:
        await engine.save(workflows(*(f"w{n:03}" for n in range(120))))
        await engine.settled()
        dependents = [one async for one in queries.dependents("mail")]
        assert [one["workflow_id"] for one in dependents] == [f"w{n:03}" for n in range(120)]
        assert {one["state"] for one in dependents} == {"allowed"}
        async with engine.run("w000"):
            await brand.rotate("mail", "second")
            await brand.waits("mail.2", "unconfirmed")
            behind = [one async for one in queries.behind(account="mail")]
            assert len(behind) == 120
            with pytest.raises(NotFoundError, match="only a completed one"):
                await queries.proof("mail.2")
        await brand.completed("mail.2")
    (account,) = [one async for one in queries.accounts(extension="smtp-relay")]
    assert (account["account_id"], account["version"]) == ("mail", 2)
    (rollout,) = [one async for one in queries.rollouts(account="mail")]
    assert rollout["state"] == "completed"
    (shown,) = [one async for one in queries.engines()]
    assert shown["engine_id"] == "e1"
    proof, keys = await queries.proof("mail.2"), await queries.proof_keys()
    verdict = check(proof, Jwks.model_validate(keys))
    assert (verdict.problems, verdict.is_pinned) == ((), True)


async def test_a_service_whose_address_is_not_known_is_named(brand: Brand) -> None:
    settings = brand.world.backend_settings(brand.name)
    without = settings.model_copy(
        update={"services": settings.services.model_copy(update={"catalog": None})}
    )
    async with Backend(without) as backend:
        with pytest.raises(NotFoundError):
            await brand.backend.queries.extension("nothing-like-it")
        with pytest.raises(RejectedError, match="No address of catalog is known"):
            await backend.queries.extension("smtp-relay")
