"""Legs that are late: asked again, overdue, excused by name; and engines that are retired."""

from datetime import timedelta

from keyturn_contracts.message import CommandApplied, CommandRefused
from keyturn_contracts.proof import check
from keyturn_contracts.workflow import (
    OverrideRollout,
    RetireEngine,
    RolloutCompleted,
    RolloutOverdue,
    RolloutProgressed,
)

from services.workflow.rules.rollout import Rhythm
from tests.workflow.given import by_person, fetched, utc_now, workflow
from tests.workflow.rotating import ONE, given_rollout, is_completed
from tests.workflow.world import DAY, World, told


async def test_late_legs_are_asked_again_and_overdue_ones_named(world: World) -> None:
    await given_rollout(world)

    asks = Rhythm(
        deadline=DAY, progress=DAY, ask_again=timedelta(0), ask_at_most=DAY, look_again=DAY
    )
    await wake(world)
    await world.look(asks)
    [asked] = await world.rollout_events()
    assert isinstance(asked, RolloutProgressed)
    assert (asked.asked, told([asked])[0][1]) == (2, {"e1": "unconfirmed"})


async def test_after_its_deadline_a_rollout_is_overdue_and_can_still_complete(
    world: World,
) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")), fetched(version=2))
    await world.account("mail", 2, "e1")
    at_once = Rhythm(
        deadline=timedelta(0), progress=DAY, ask_again=DAY, ask_at_most=DAY, look_again=DAY
    )
    await world.look(at_once)
    await wake(world)
    await world.look(at_once)
    events = await world.rollout_events()
    assert told(events)[-1] == ("RolloutOverdue", {"e1": "unconfirmed"})
    assert isinstance(events[-1], RolloutOverdue)

    await world.tell(engine.confirm(2, ONE))
    assert await is_completed(world)


async def wake(world: World) -> None:
    """Have the closer look, as any news of the account does."""
    await world.account("mail", 2, "e1")


# Excuses.


async def test_an_override_completes_without_the_engine_and_says_so_in_the_proof(
    world: World,
) -> None:
    engine = await given_rollout(world)
    other = await world.engine("e2")
    await world.tell(other.save(workflow("w9", "a")))
    override = OverrideRollout(rollout_id="mail.2", engines=("e1",), reason="Thrown away.")

    outcome = await world.answer(by_person(override, at=utc_now()))
    assert isinstance(outcome, CommandApplied)
    assert [one.type for one in outcome.events] == [RolloutProgressed.type_name()]
    assert not await is_completed(world)
    await world.tell(other.confirm(2, {"w9": ("a",)}, holds=False))
    await world.close()

    [completed] = [one for one in await world.rollout_events() if isinstance(one, RolloutCompleted)]
    assert [(one.engine_id, one.by, one.reason) for one in completed.excused] == [
        ("e1", "root", "Thrown away.")
    ]
    assert (completed.legs, completed.done) == (2, 1)
    verdict = check(await world.proof(), None)
    assert verdict.problems == ()
    assert verdict.proof is not None
    assert [one.engine_id for one in verdict.proof.excused] == ["e1"]
    assert await world.refusal(by_person(override, at=utc_now())) == "rollout_ended"
    assert engine.id == "e1"


async def test_a_version_that_no_database_keeps_names_no_rollout(world: World) -> None:
    beyond = OverrideRollout(rollout_id=f"mail.{2**63}", engines=("e1",), reason="x")
    known = OverrideRollout(rollout_id="mail.1", engines=("e1",), reason="x")

    answers = await world.answers(by_person(beyond, at=utc_now()), by_person(known, at=utc_now()))

    reasons = [one.reason for one in answers if isinstance(one, CommandRefused)]
    assert reasons == ["rollout_unknown", "rollout_unknown"]


async def test_retiring_an_engine_excuses_it_everywhere_and_ends_its_commands(
    world: World,
) -> None:
    engine = await given_rollout(world)
    retire = RetireEngine(engine_id="e1", reason="Sold.")

    await world.tell(by_person(retire, at=utc_now()))
    await world.close()

    [completed] = [one for one in await world.rollout_events() if isinstance(one, RolloutCompleted)]
    assert [(one.engine_id, one.reason) for one in completed.excused] == [("e1", "Sold.")]
    assert completed.legs == 0
    assert check(await world.proof(), None).problems == ()
    assert await world.refusal(engine.save(workflow("w2", "a"))) == "engine_retired"
    assert await world.refusal(engine.confirm(2, ONE)) == "engine_retired"
    assert await world.refusal(by_person(engine.registration(), at=utc_now())) == "engine_exists"


async def test_a_retired_engine_is_not_bound_again_by_an_accounts_news(world: World) -> None:
    await given_rollout(world)
    await world.tell(by_person(RetireEngine(engine_id="e1"), at=utc_now()))
    await world.close()
    await world.events()

    await world.take("ada")
    await world.close()
    await world.give("ada")
    await world.account("mail", 3)
    await world.close()

    assert [one for one in await world.events() if "Account" in type(one).__name__] == []
