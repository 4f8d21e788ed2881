"""An uninstallation is over here when no task may run and every engine has let go, with a proof."""

import asyncio
from dataclasses import replace

import pytest
from keyturn_contracts.workflow import (
    ExtensionCleared,
    OverrideRollout,
    RetireEngine,
    RolloutCompleted,
)

from services.workflow.jobs.clearing import clear
from services.workflow.rules.clearance import Clearance, Remains
from services.workflow.rules.clearance import clear as clear_by
from tests.workflow.given import GivenEngine, by_person, utc_now, workflow
from tests.workflow.world import DAY, World

BEGUN = Clearance(uninstall_id="u1", tasks=3)
OVER = Remains(
    tasks=0,
    is_known=True,
    is_judged=True,
    is_allowed=False,
    is_alive=False,
    is_rolling_out=False,
)
TASKS = {"w1": ("a",), "w2": ("a",)}


def test_it_is_done_when_nothing_remains_and_what_was_counted_stays() -> None:
    assert clear_by(BEGUN, OVER) == replace(BEGUN, is_done=True)


@pytest.mark.parametrize("what", ["is_allowed", "is_alive", "is_rolling_out"])
def test_it_is_not_done_while_anything_remains(what: str) -> None:
    remains = replace(OVER, tasks=5, **{what: True})

    assert clear_by(BEGUN, remains) == replace(BEGUN, tasks=5)


def test_it_is_not_done_while_news_of_a_deletion_may_be_on_its_way() -> None:
    assert clear_by(BEGUN, replace(OVER, is_known=False)) == BEGUN


def test_what_is_still_to_be_judged_says_nothing_yet() -> None:
    assert clear_by(BEGUN, replace(OVER, tasks=5, is_judged=False)) == BEGUN


async def given_uses(world: World) -> GivenEngine:
    """Have an engine use `mail` in two workflows and hold its credentials."""
    engine = await world.engine()
    await world.account("mail", 1, "e1")
    await world.tell(engine.save(workflow("w1", "a"), workflow("w2", "a")))
    await world.installation()
    await world.close()
    return engine


async def start(world: World, uninstall_id: str = "u1") -> None:
    await world.installation("uninstalling", uninstall_id=uninstall_id)


async def vault_is_done(world: World, accounts: int, uninstall_id: str = "u1") -> None:
    """Have the installation service tell so, and how many accounts the vault has deleted."""
    await world.installation("uninstalling", uninstall_id=uninstall_id, deleted=accounts)


async def cleared(world: World) -> list[tuple[str, int, bool]]:
    """Run every job, and return what was announced: uninstallation, tasks, done."""
    await world.close()
    while await world.clear():
        await world.close()
    return [
        (one.uninstall_id, one.tasks, one.done)
        for one in await world.events()
        if isinstance(one, ExtensionCleared)
    ]


async def test_it_is_done_when_the_engine_has_let_go(world: World) -> None:
    engine = await given_uses(world)

    await start(world)
    begun = await cleared(world)
    await world.account("mail", 2, "e1", state="deleted")
    deleted = await cleared(world)
    await vault_is_done(world, 1)
    deleted += await cleared(world)
    await world.tell(engine.confirm(2, TASKS, holds=False, receipt=None))

    assert begun == [("u1", 2, False)]
    assert deleted == []
    assert await cleared(world) == [("u1", 2, True)]
    assert await cleared(world) == []


async def test_what_is_told_names_the_command_that_began_it_all(world: World) -> None:
    await given_uses(world)
    await start(world)
    await world.close()

    assert await world.clear() == 1

    [event] = await world.published("ExtensionCleared")
    assert event.headers["ce_correlationid"] == "u1"
    assert event.key == "acme/clearances/smtp-relay/workflow"


async def test_nothing_is_told_before_its_tasks_are_suspended(world: World) -> None:
    await given_uses(world)
    await start(world)

    assert await world.clear() == 0, "its accounts do not follow it yet"
    await world.follow()
    assert await world.clear() == 0, "they are still to be judged"
    await world.judge()
    assert await world.clear() == 1


async def test_it_is_done_only_with_every_account_and_engine(world: World) -> None:
    first = await given_uses(world)
    second = await world.engine("e2")
    await world.account("post", 1, "e2")
    await world.tell(second.save(workflow("v1", "a", account_id="post")))
    await start(world)
    seen = [await cleared(world)]
    await world.account("mail", 2, "e1", state="deleted")
    await world.tell(first.confirm(2, TASKS, holds=False, receipt=None))
    seen.append(await cleared(world))
    await world.account("post", 2, "e2", state="deleted")
    await vault_is_done(world, 2)
    seen.append(await cleared(world))

    confirm = second.confirm(2, {"v1": ("a",)}, account_id="post", holds=False, receipt=None)
    await world.tell(confirm)

    assert seen == [[("u1", 3, False)], [], []]
    assert await cleared(world) == [("u1", 3, True)]


@pytest.mark.parametrize("how", ["excused", "retired"])
async def test_an_engine_that_never_answers_is_excused_by_name(world: World, how: str) -> None:
    await given_uses(world)
    await start(world)
    await world.account("mail", 2, "e1", state="deleted")
    await vault_is_done(world, 1)
    await cleared(world)

    command = (
        OverrideRollout(rollout_id="mail.2", engines=("e1",), reason="Lost.")
        if how == "excused"
        else RetireEngine(engine_id="e1", reason="Lost.")
    )
    await world.tell(by_person(command, at=utc_now()))

    assert await cleared(world) == [("u1", 2, True)]


async def test_without_accounts_it_is_done_as_soon_as_the_vault_has_none_either(
    world: World,
) -> None:
    await start(world)
    before = await cleared(world)
    await vault_is_done(world, 0)

    assert (before, await cleared(world)) == ([], [("u1", 0, True)])


async def test_what_an_account_is_used_by_is_counted_though_its_news_is_late(world: World) -> None:
    """Until then nobody here knows of what extension it is: it might be any other's."""
    engine = await world.engine()
    await world.tell(engine.save(workflow("w1", "a"), workflow("w2", "a")))
    await world.installation()
    await start(world)
    await vault_is_done(world, 1)
    before = await cleared(world)

    await world.account("mail", 2, state="deleted")

    assert (before, await cleared(world)) == ([], [("u1", 2, True)])


async def test_news_of_one_deletion_says_nothing_of_another(world: World) -> None:
    engine = await world.engine()
    await world.tell(engine.save(workflow("w1", "a", account_id="post")))
    await start(world)
    await vault_is_done(world, 2)
    await world.account("mail", 2, state="deleted")
    before = await cleared(world)

    await world.account("post", 2, state="deleted")

    assert (before, await cleared(world)) == ([], [("u1", 1, True)])


async def test_news_of_a_deletion_long_before_says_nothing_of_one_for_it(world: World) -> None:
    engine = await world.engine()
    await world.account("post", 2, state="deleted")
    await world.tell(engine.save(workflow("w1", "a")))
    await world.close()
    world.uninstallations["u1"] = utc_now() + DAY
    await start(world)
    await vault_is_done(world, 1)
    before = await cleared(world)
    world.uninstallations["u1"] = utc_now() - DAY
    await vault_is_done(world, 1)

    assert (before, await cleared(world)) == ([], [("u1", 0, True)])


async def test_without_holders_a_deletion_ends_with_a_proof_and_then_it_is_done(
    world: World,
) -> None:
    await world.account()
    await start(world)
    before = await cleared(world)
    await world.account("mail", 2, state="deleted")
    await world.follow()
    await vault_is_done(world, 1)
    assert await world.clear() == 0, "its rollout is still to be opened"
    await world.close()
    completed = [one for one in await world.events() if isinstance(one, RolloutCompleted)]

    assert before == []
    assert [one.rollout_id for one in completed] == ["mail.2"]
    assert await world.proof()
    assert await cleared(world) == [("u1", 0, True)]


async def test_accounts_that_were_deleted_before_are_not_counted(world: World) -> None:
    await given_uses(world)
    engine = await world.engine("e2")
    await world.account("post")
    await world.tell(engine.save(workflow("v1", "a", account_id="post")))
    await world.account("post", 2, state="deleted")
    await world.close()
    await start(world)

    assert await cleared(world) == [("u1", 2, False)]


async def test_tasks_that_are_saved_late_are_suspended_and_counted(world: World) -> None:
    engine = await given_uses(world)
    await start(world)
    await cleared(world)

    await world.tell(engine.save(workflow("w3", "a")))
    more = await cleared(world)
    await world.tell(engine.delete("w1", "w2", "w3"))

    assert more == [("u1", 3, False)]
    assert await cleared(world) == [], "what was suspended stays counted"


async def test_an_extension_that_is_uninstalled_again_is_counted_anew(world: World) -> None:
    await given_uses(world)
    await start(world)
    await world.account("mail", 2, state="deleted")
    await vault_is_done(world, 1)
    await cleared(world)
    await world.installation("uninstalled", uninstall_id="u1")
    await world.installation()
    assert await cleared(world) == []

    await start(world, "u2")
    await vault_is_done(world, 0, "u2")

    assert await cleared(world) == [("u2", 0, True)]


async def test_what_dies_before_its_commit_is_told_later_and_once(world: World) -> None:
    await given_uses(world)
    await start(world)
    await world.close()

    async with world.database.writer.connect() as connection:
        assert await clear(connection, 100) == 1

    assert await cleared(world) == [("u1", 2, False)]


async def test_two_processes_tell_it_once(world: World) -> None:
    await given_uses(world)
    await start(world)
    await world.close()

    told = await asyncio.gather(*(world.clear() for _ in range(4)))

    assert sum(told) == 1
