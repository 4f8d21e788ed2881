"""Who loses access to an account has their workflows stop, and go on when it comes back."""

from collections.abc import Mapping

import pytest
from keyturn_client import Engine, Fetched, SuspendedError, Workflows
from keyturn_client.replica.freshness import now
from keyturn_contracts.access import GrantAccess, RevokeAccess

from tests.client.world import Brand, applied, workflows
from tests.waiting import eventually


async def apply(_credential: Fetched, _workflows: Workflows) -> Mapping[str, str]:
    return {}


async def version_of_a_run(engine: Engine, workflow_id: str) -> int | None:
    """Return the version that a run has, or None where none begins."""
    try:
        async with engine.run(workflow_id) as run:
            return run.credential("mail").version
    except SuspendedError:
        return None


async def until_run(engine: Engine) -> None:
    async def runs() -> bool:
        return await version_of_a_run(engine, "theirs") == 1

    await eventually(runs)


async def until_stopped(engine: Engine) -> None:
    async def is_stopped() -> bool:
        return await version_of_a_run(engine, "theirs") is None

    await eventually(is_stopped)


async def test_a_revocation_stops_one_members_workflows_and_nobody_elses(brand: Brand) -> None:
    await brand.add_account("mail", "first")
    settings = await brand.register_engine()
    async with Engine(settings, apply) as engine:
        await engine.save([*workflows("ours"), *workflows("theirs", owner="bob")])
        await eventually(lambda: version_of_a_run(engine, "ours"))
        await engine.settled()

        await until_stopped(engine)
        with pytest.raises(
            SuspendedError, match="its task send is suspended, which may not use account mail"
        ) as stopped:
            async with engine.run("theirs"):
                pass
        [task] = stopped.value.tasks
        assert (task.workflow_id, task.reason) == ("theirs", "no_access")
        assert engine.status().accounts["mail"].suspended == (task,)

        applied(await brand.backend.ask(GrantAccess(account_id="mail", members=("bob",))))
        await until_run(engine)
        applied(await brand.backend.ask(RevokeAccess(account_id="mail", members=("bob",))))
        await until_stopped(engine)
        assert await version_of_a_run(engine, "ours") == 1
    # What is suspended is read when an engine starts: it hears of nothing new.
    async with Engine(settings, apply) as engine:
        assert [one.workflow_id for one in engine.status().accounts["mail"].suspended] == ["theirs"]
        assert await version_of_a_run(engine, "theirs") is None
        assert await version_of_a_run(engine, "ours") == 1


async def test_events_alone_show_that_what_was_read_still_holds(
    brand: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The service is not asked for it.
    monkeypatch.setattr("keyturn_client.engine.suspended._READ_AGAIN_SECONDS", 10_000.0)
    settings = await brand.register_engine()
    async with Engine(settings, apply) as engine:
        since = now()

        def is_newer() -> bool:
            age = engine.status().suspended_age
            return age is not None and now() - age.total_seconds() > since

        await eventually(is_newer)
