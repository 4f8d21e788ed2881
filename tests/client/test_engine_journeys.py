"""What an engine's people see: real services, real Kafka, a real mail server."""

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import timedelta

import pytest
from keyturn_client import (
    Engine,
    EngineStoppedError,
    Fetched,
    NoCredentialError,
    SuspendedError,
    Workflows,
)
from keyturn_client.engine import lists
from keyturn_contracts.credential_vault import DeleteAccount
from keyturn_contracts.workflow import BindingName, RetireEngine

from tests.client.world import Brand, applied, workflows
from tests.waiting import eventually


class Applied:
    """An engine's own `apply`, which remembers."""

    def __init__(self) -> None:
        self.versions: list[int] = []
        self.failing: dict[str, str] = {}

    async def __call__(self, credential: Fetched, workflows: Workflows) -> Mapping[str, str]:
        self.versions.append(credential.version)
        return self.failing


@pytest.fixture
def apply() -> Applied:
    return Applied()


async def test_a_rotation_reaches_every_workflow_and_completes(
    brand: Brand, apply: Applied
) -> None:
    await brand.add_account("mail", "first")
    settings = await brand.register_engine()
    async with Engine(settings, apply) as engine:
        await engine.save(workflows("w1", "w2", "w3"))
        async with engine.run("w1") as run:
            assert run.credential("mail").fields["password"].get_secret_value() == "first"
            await brand.rotate("mail", "second")
            await eventually(lambda: apply.versions == [1, 2])
            # A run keeps the version that it began with, and a new one has the new version.
            assert run.credential("mail").version == 1
            async with engine.run("w1") as another:
                assert another.credential("mail").fields["password"].get_secret_value() == "second"
            await brand.waits("mail.2", "unconfirmed")
        done = await brand.completed("mail.2")
        await engine.settled()
        assert engine.status().accounts["mail"].confirmed == 2
    assert (done.legs, done.done) == (1, 1)


async def test_no_credential_is_written_down_or_logged(
    brand: Brand, apply: Applied, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    secret = "canary-7f3b1c"
    await brand.add_account("mail", secret)
    settings = await brand.register_engine()
    async with Engine(settings, apply) as engine:
        await engine.save(workflows("w1"))
        async with engine.run("w1") as run:
            assert run.credential("mail").fields["password"].get_secret_value() == secret
            assert secret not in repr(run)
        await engine.settled()
        files = list(brand.folder.glob("e1.db*"))
        assert b"w1" in b"".join(one.read_bytes() for one in files)
        assert not [one for one in files if secret.encode() in one.read_bytes()]
    # The library's own words are among them: a log that catches nothing has no secret either.
    assert "Epoch 1 begins" in caplog.text
    assert secret not in caplog.text


async def test_an_engine_that_was_down_catches_up_and_applies_the_newest_alone(
    brand: Brand, apply: Applied
) -> None:
    await brand.add_account("mail", "first")
    settings = await brand.register_engine()
    async with Engine(settings, apply) as engine:
        await engine.save(workflows("w1"))
        await eventually(lambda: apply.versions == [1])
        await engine.settled()
    await brand.rotate("mail", "second")
    await brand.rotate("mail", "third")
    async with Engine(settings, apply) as engine, engine.run("w1") as run:
        assert run.credential("mail").version == 3
        await brand.completed("mail.3")
    assert apply.versions == [1, 3]


async def test_a_restart_of_an_unchanged_engine_costs_one_message(
    brand: Brand, apply: Applied
) -> None:
    await brand.add_account("mail", "first")
    settings = await brand.register_engine()

    async def run() -> int:
        async with Engine(settings, apply) as engine:
            await engine.save(workflows(*(f"w{n}" for n in range(50))))
            await eventually(lambda: engine.status().accounts["mail"].version == 1)
            await engine.settled()
            return engine.status().epoch

    await run()
    # The second time it is all there already.
    epoch = await run()
    (shown,) = [one async for one in brand.backend.queries.engines()]
    assert (shown["epoch"], shown["number"]) == (epoch, 1)


async def test_another_process_that_runs_as_the_engine_ends_the_first_with_a_sentence(
    brand: Brand, apply: Applied
) -> None:
    await brand.add_account("mail", "first")
    settings = await brand.register_engine()
    other = settings.model_copy(update={"state_file": brand.folder / "another.db"})

    async def run_both() -> None:
        async with Engine(settings, apply) as engine:
            await engine.save(workflows("w1"))
            await engine.settled()
            async with Engine(other, Applied()) as usurper:
                await usurper.settled()
                await engine.save(workflows("w2"))
                await engine.serve()

    with pytest.raises(EngineStoppedError, match="Somebody else runs as this engine") as stopped:
        await run_both()
    assert stopped.value.reason == "another_process"


async def test_an_engine_that_forgot_a_workflow_is_named_until_it_vouches_for_it(
    brand: Brand, apply: Applied
) -> None:
    await brand.add_account("mail", "first")
    settings = await brand.register_engine()
    async with Engine(settings, apply) as engine:
        await engine.save(workflows("w1", "w2"))
        await eventually(lambda: apply.versions == [1])
        await engine.settled()
        with closing(sqlite3.connect(settings.state_file)) as file, file:
            lists.delete(file, ["w2"])
        await brand.rotate("mail", "second")
        await brand.waits("mail.2", "vanished")
        lost = await eventually(lambda: engine.status().accounts["mail"].vanished)
        assert [one.workflow_id for one in lost] == ["w2"]
        # A confirmation alone does not clear it.
        assert (await brand.backend.queries.rollout("mail.2")).state == "open"
        await engine.vouch(["w2"])
        await brand.completed("mail.2")


async def test_an_engine_that_lost_its_file_is_asked_about_what_it_does_not_know(
    brand: Brand, apply: Applied
) -> None:
    await brand.add_account("mail", "first")
    settings = await brand.register_engine()
    async with Engine(settings, apply) as engine:
        await engine.save(workflows("w1", "w2"))
        await engine.settled()
    lost = settings.model_copy(update={"state_file": brand.folder / "new.db"})
    asked: set[str] = set()

    async def vouch(bindings: list[BindingName]) -> Iterable[str]:
        asked.update(one.workflow_id for one in bindings)
        return ["w2"]

    async with Engine(lost, apply, vanished=vouch) as engine:
        await engine.save(workflows("w1"))
        await engine.settled()
        assert "w2" in asked
        await brand.rotate("mail", "second")
        await brand.completed("mail.2")
    kept = [one["workflow_id"] async for one in brand.backend.queries.workflows()]
    assert kept == ["w1"]


async def test_a_deleted_account_is_let_go_and_its_rollout_completes(
    brand: Brand, apply: Applied
) -> None:
    await brand.add_account("mail", "first")
    settings = await brand.register_engine()
    gone: list[str] = []

    async def let_go(account_id: str) -> None:
        gone.append(account_id)

    async with Engine(settings, apply, let_go=let_go) as engine:
        await engine.save(workflows("w1"))
        await eventually(lambda: apply.versions == [1])
        applied(await brand.backend.ask(DeleteAccount(account_id="mail")))
        await brand.completed("mail.2")
        assert gone == ["mail"]

        async def is_suspended() -> bool:
            return [one.reason for one in engine.status().accounts["mail"].suspended] == [
                "account_deleted"
            ]

        await eventually(is_suspended)
        with pytest.raises(SuspendedError, match="account_deleted"):
            async with engine.run("w1"):
                pass


async def test_letting_go_of_the_last_binding_is_confirmed_at_the_next_rotation(
    brand: Brand, apply: Applied
) -> None:
    await brand.add_account("mail", "first")
    settings = await brand.register_engine()
    async with Engine(settings, apply) as engine:
        await engine.save(workflows("w1"))
        await eventually(lambda: apply.versions == [1])
        await engine.delete(["w1"])
        await engine.settled()
        assert engine.status().accounts["mail"].version is None
        await brand.rotate("mail", "second")
        done = await brand.completed("mail.2")
    assert (done.legs, apply.versions) == (1, [1])


async def test_failures_are_named_by_workflow_until_they_are_gone(
    brand: Brand, apply: Applied
) -> None:
    await brand.add_account("mail", "first")
    settings = await brand.register_engine()
    async with Engine(settings, apply) as engine:
        await engine.save(workflows("w1", "w2"))
        await eventually(lambda: apply.versions == [1])
        apply.failing = {"w2": "its box is full"}
        await brand.rotate("mail", "second")
        await brand.waits("mail.2", "failed")
        (behind,) = [one async for one in brand.backend.queries.behind(account="mail")]
        assert (behind["workflow_id"], behind["reason"]) == ("w2", "its box is full")
        await engine.report_recovered("mail", ["w2"])
        await brand.completed("mail.2")


async def test_a_failed_workflow_that_is_deleted_fails_no_more(
    brand: Brand, apply: Applied
) -> None:
    await brand.add_account("mail", "first")
    settings = await brand.register_engine()
    async with Engine(settings, apply) as engine:
        await engine.save(workflows("w1", "w2"))
        await eventually(lambda: apply.versions == [1])
        await brand.rotate("mail", "second")
        await eventually(lambda: apply.versions == [1, 2])
        await brand.completed("mail.2")
        await engine.report_failed("mail", {"w2": "its box is full"})
        await engine.settled()
        assert engine.status().accounts["mail"].failed == 1
        await engine.delete(["w2"])
        await engine.settled()
        assert engine.status().accounts["mail"].failed == 0
        await brand.rotate("mail", "third")
        await brand.completed("mail.3")


async def test_a_workflow_of_somebody_who_may_not_use_the_account_gets_nothing(
    brand: Brand, apply: Applied
) -> None:
    await brand.add_account("mail", "first")
    settings = await brand.register_engine()
    async with Engine(settings, apply) as engine:
        await engine.save(workflows("w1", owner="mallory"))
        await engine.settled()
        with pytest.raises(SuspendedError, match="no_access") as refused:
            async with engine.run("w1"):
                pass
        assert [one.workflow_id for one in refused.value.tasks] == ["w1"]
        assert engine.status().accounts["mail"].why_not == "refused"
        # The same workflow of its owner is given it.
        await engine.save(workflows("w1"))
        await eventually(lambda: apply.versions == [1])


async def test_a_workflow_is_deleted_when_its_last_run_has_ended(
    brand: Brand, apply: Applied
) -> None:
    await brand.add_account("mail", "first")
    settings = await brand.register_engine()

    async def saved() -> list[str]:
        return [one["workflow_id"] async for one in brand.backend.queries.workflows()]

    async with Engine(settings, apply) as engine:
        await engine.save(workflows("w1", "w2"))
        async with engine.run("w1"):
            await engine.delete(["w1", "w2"])
            await engine.settled()
            assert await saved() == ["w1"]
        await engine.settled()
        assert await saved() == []


async def test_a_list_made_equal_to_what_is_given(brand: Brand, apply: Applied) -> None:
    await brand.add_account("mail", "first")
    settings = await brand.register_engine()
    async with Engine(settings, apply) as engine:
        await engine.sync(workflows("w1", "w2"))
        await engine.sync(workflows("w2", "w3"))
        await engine.settled()
    kept = [one["workflow_id"] async for one in brand.backend.queries.workflows(engine="e1")]
    assert kept == ["w2", "w3"]


async def test_a_retired_engine_stops(brand: Brand, apply: Applied) -> None:
    await brand.add_account("mail", "first")
    settings = await brand.register_engine()

    async def run() -> None:
        async with Engine(settings, apply) as engine:
            await engine.save(workflows("w1"))
            await engine.settled()
            applied(await brand.backend.ask(RetireEngine(engine_id="e1", reason="replaced")))
            await engine.serve()

    with pytest.raises(EngineStoppedError, match="retired this engine") as stopped:
        await run()
    assert stopped.value.reason == "retired"


async def test_an_engine_goes_on_after_the_services_were_killed(
    brand: Brand, apply: Applied
) -> None:
    await brand.add_account("mail", "first")
    settings = await brand.register_engine()
    world = brand.world
    async with Engine(settings, apply) as engine:
        await engine.save(workflows("w1"))
        await eventually(lambda: apply.versions == [1])
        for service in ("workflow", "credential-vault"):
            world.stop(service, kill=True)
        try:
            await engine.save(workflows("w2", "w3"))
            async with engine.run("w1") as run:
                assert run.credential("mail").version == 1
        finally:
            for service in ("workflow", "credential-vault"):
                world.start(service)
            for service in ("workflow", "credential-vault"):
                await asyncio.to_thread(world.wait_ready, service)
        await engine.settled()
        await brand.rotate("mail", "second")
        await brand.completed("mail.2")
    kept = [one["workflow_id"] async for one in brand.backend.queries.workflows()]
    assert kept == ["w1", "w2", "w3"]


async def test_an_engine_goes_on_after_the_broker_was_killed(brand: Brand, apply: Applied) -> None:
    await brand.add_account("mail", "first")
    settings = await brand.register_engine()
    world = brand.world
    async with Engine(settings, apply) as engine:
        await engine.save(workflows("w1"))
        await eventually(lambda: apply.versions == [1])
        world.stack.child("kafka").kill()
        await engine.save(workflows("w2", "w3"))
        # Not in another thread: the broker would end with it.
        world.stack.start_again("kafka")
        await asyncio.to_thread(world.revive)
        await engine.settled()
        await brand.rotate("mail", "second")
        await brand.completed("mail.2")
    kept = [one["workflow_id"] async for one in brand.backend.queries.workflows()]
    assert kept == ["w1", "w2", "w3"]
    assert apply.versions == [1, 2]


async def test_what_apply_raises_ends_the_engine_and_the_body(brand: Brand) -> None:
    async def apply(credential: Fetched, workflows: Workflows) -> None:
        raise RuntimeError(f"no way to switch to {credential.version}")

    await brand.add_account("mail", "first")
    settings = await brand.register_engine()

    async def run() -> None:
        async with Engine(settings, apply) as engine:
            await engine.save(workflows("w1"))
            await engine.serve()

    with pytest.raises(RuntimeError, match="no way to switch to 1"):
        await run()


async def test_a_run_without_an_answer_yet_says_so(brand: Brand, apply: Applied) -> None:
    settings = await brand.register_engine()
    async with Engine(settings, apply) as engine:
        async with engine.run("w1") as run:
            with pytest.raises(NoCredentialError) as unknown:
                run.credential("mail")
            assert unknown.value.reason == "not_bound"
        await engine.save(workflows("w1"))
        async with engine.run("w1", wait=timedelta(0)) as run:
            with pytest.raises(NoCredentialError) as early:
                run.credential("mail")
            assert early.value.reason == "not_yet"


async def test_an_engine_that_is_not_registered_with_its_key_is_told_so(
    brand: Brand, apply: Applied, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = await brand.register_engine()
    stranger = settings.model_copy(update={"engine_id": "e2", "state_file": brand.folder / "e2.db"})
    monkeypatch.setattr("keyturn_client.engine.parts._REGISTERED_WITHIN", 0.5)
    with pytest.raises(EngineStoppedError, match="is not registered with this key") as stopped:
        async with Engine(stranger, apply):
            pass
    assert stopped.value.reason == "not_registered"
