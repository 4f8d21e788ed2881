"""The rules of a rotation, each by its name, on a real database.

Each of these fails when its rule is taken out.
"""

from datetime import timedelta

import pytest
from keyturn_contracts.credential_vault import HolderRef
from keyturn_contracts.keys import jwks_of
from keyturn_contracts.message import CommandApplied, CommandRefused
from keyturn_contracts.proof import check
from keyturn_contracts.workflow import (
    ListCompared,
    ListPart,
    OverrideRollout,
    RetireEngine,
    RolloutCompleted,
    RolloutEnded,
    RolloutOverdue,
    RolloutProgressed,
)

from services.workflow.rules.rollout import Rhythm
from tests.workflow.given import GivenEngine, by_person, fetched, utc_now, workflow
from tests.workflow.world import DAY, PROOF_KEY, QUIET, World, told

ONE = {"w1": ("a",)}
WHOLE = ListPart(id="l1", scope="everything", part=1, last=True)


async def given_rollout(world: World, *tasks: str) -> GivenEngine:
    """Begin a rotation of `mail` to version 2 while `e1` holds version 1 of it, with `w1`."""
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(*(workflow(one, "a") for one in ("w1", *tasks))))
    await world.account("mail", 2, "e1")
    await world.tell(fetched(version=2), fetched(version=3))
    await world.close()
    await world.events()
    return engine


async def waits_for(world: World) -> dict[str, str] | None:
    """Return whom the rollout waits for now, or None where it is completed."""
    await world.close()
    events = await world.rollout_events()
    assert events, "The rollout said nothing new."
    if isinstance(events[-1], RolloutCompleted):
        return None
    return told(events)[-1][1]


async def is_completed(world: World) -> bool:
    await world.close()
    return any(isinstance(one, RolloutCompleted) for one in await world.rollout_events())


# Legs are bindings and holders.


async def test_a_holder_without_a_binding_is_a_leg(world: World) -> None:
    engine = await given_rollout(world)
    await world.tell(engine.delete("w1"))
    assert not await is_completed(world)

    await world.tell(engine.confirm(2, {}, holds=False))
    assert await is_completed(world)


async def test_a_binding_without_a_holder_is_a_leg(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")))
    await world.account("mail", 2)

    assert await waits_for(world) == {"e1": "unconfirmed"}


async def test_a_binding_saved_during_a_rollout_opens_a_leg_or_counts_in_an_open_one(
    world: World,
) -> None:
    engine = await given_rollout(world)
    other = await world.engine("e2")

    await world.tell(other.save(workflow("w9", "a")))
    assert await waits_for(world) == {"e1": "unconfirmed", "e2": "unconfirmed"}

    await world.tell(engine.save(workflow("w2", "a")))
    assert await world.refusal(engine.confirm(2, ONE)) == "list_differs"
    await world.tell(engine.confirm(2, {"w1": ("a",), "w2": ("a",)}))
    assert await waits_for(world) == {"e2": "unconfirmed"}


async def test_who_is_neither_holder_nor_bound_any_more_is_no_leg(world: World) -> None:
    engine = await given_rollout(world)
    await world.tell(engine.delete("w1"))

    await world.account("mail", 2)

    assert await is_completed(world)


async def test_a_suspended_binding_is_no_leg_and_a_resumed_one_is(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.account("mail", 2)
    await world.tell(engine.save(workflow("w1", "a", owner="bob")))
    await world.close()
    assert [type(one) for one in await world.rollout_events()][-1] is RolloutCompleted

    await world.account("mail", 3, creator="bob")
    assert await waits_for(world) == {"e1": "unconfirmed"}


# Letting go is a confirmation.


async def test_letting_go_is_a_confirmation(world: World) -> None:
    engine = await given_rollout(world)
    await world.tell(engine.delete("w1"))

    outcome = await world.answer(engine.confirm(2, {}, holds=False, receipt=None))

    assert isinstance(outcome, CommandApplied)
    assert await is_completed(world)


async def test_letting_go_with_bindings_left_on_record_is_refused(world: World) -> None:
    engine = await given_rollout(world)

    refused = await world.refusal(engine.confirm(2, {}, holds=False, receipt=None))

    assert refused == "list_differs"


# A failure belongs to the holding, not to the rollout, and not to the binding.

FAILED = {"failed": [{"workflow_id": "w1", "reason": "No route."}], "failed_count": 1}


async def test_a_failure_stays_when_its_workflow_is_deleted(world: World) -> None:
    engine = await given_rollout(world, "w2")
    await world.tell(engine.confirm(2, {"w1": ("a",), "w2": ("a",)}, **FAILED))
    assert await waits_for(world) == {"e1": "failed"}

    await world.tell(engine.delete("w1"))
    assert not await is_completed(world)

    await world.tell(engine.confirm(2, {"w2": ("a",)}))
    assert await is_completed(world)


async def test_a_failure_stays_when_another_rotation_comes(world: World) -> None:
    engine = await given_rollout(world)
    await world.tell(engine.confirm(3, ONE, **FAILED))
    await world.account("mail", 3, "e1")
    assert await waits_for(world) == {"e1": "failed"}

    await world.tell(engine.confirm(3, ONE))
    assert await is_completed(world)


async def test_a_lower_confirmation_still_settles_failures(world: World) -> None:
    engine = await given_rollout(world)
    await world.account("mail", 3, "e1")
    await world.tell(engine.confirm(3, ONE, **FAILED))
    assert await waits_for(world) == {"e1": "failed"}

    await world.tell(engine.confirm(2, ONE))

    assert await is_completed(world)
    verdict = check(await world.proof("mail", 3), jwks_of([PROOF_KEY], "sig"))
    assert (verdict.problems, verdict.is_pinned) == ((), True)


# A whole list cannot launder.


async def test_what_a_whole_list_leaves_out_keeps_the_leg_open_though_it_confirms(
    world: World,
) -> None:
    engine = await given_rollout(world, "w2")

    [outcome] = await world.answers(engine.save(workflow("w1", "a"), part=WHOLE))
    assert isinstance(outcome, CommandApplied)
    compared = ListCompared.model_validate(outcome.details)
    assert [one.workflow_id for one in compared.vanished] == ["w2"]
    await world.tell(engine.confirm(2, ONE))

    assert await waits_for(world) == {"e1": "vanished"}
    await world.tell(engine.confirm(2, ONE))
    assert not await is_completed(world)


async def test_what_vanished_is_saved_by_name_and_confirmed_after_it(world: World) -> None:
    engine = await given_rollout(world, "w2")
    both = {"w1": ("a",), "w2": ("a",)}
    await world.tell(engine.save(workflow("w1", "a"), part=WHOLE), engine.confirm(2, ONE))
    assert await waits_for(world) == {"e1": "vanished"}

    await world.tell(engine.save(workflow("w2", "a")))
    assert await waits_for(world) == {"e1": "unconfirmed"}

    await world.tell(engine.confirm(2, both))
    assert await is_completed(world)


async def test_what_vanished_is_deleted_by_name_and_confirmed_after_it(world: World) -> None:
    engine = await given_rollout(world, "w2")
    await world.tell(engine.save(workflow("w1", "a"), part=WHOLE), engine.confirm(2, ONE))
    assert await waits_for(world) == {"e1": "vanished"}

    await world.tell(engine.delete("w2"))
    assert await waits_for(world) == {"e1": "unconfirmed"}

    await world.tell(engine.confirm(2, ONE))
    assert await is_completed(world)


async def test_an_older_confirmation_says_nothing_of_what_had_vanished(world: World) -> None:
    engine = await given_rollout(world, "w2")
    await world.tell(engine.save(workflow("w1", "a"), part=WHOLE), engine.confirm(2, ONE))
    await world.tell(engine.delete("w2"), engine.confirm(1, ONE, holds=False))

    assert not await is_completed(world)


async def test_a_single_task_that_a_whole_list_leaves_out_is_vanished_too(world: World) -> None:
    engine = await given_rollout(world)
    await world.tell(engine.save(workflow("w1", "a", "b")))

    await world.tell(engine.save(workflow("w1", "a"), part=WHOLE), engine.confirm(2, ONE))

    assert await waits_for(world) == {"e1": "vanished"}
    await world.tell(engine.save(workflow("w1", "a")), engine.confirm(2, ONE))
    assert await is_completed(world)


async def test_a_list_of_one_account_shows_what_vanished_of_it(world: World) -> None:
    engine = await given_rollout(world, "w2")
    scope = ListPart(id="l1", scope="mail", part=1, last=True)

    await world.tell(engine.save(workflow("w1", "a"), part=scope), engine.confirm(2, ONE))

    assert await waits_for(world) == {"e1": "vanished"}


# A second rotation supersedes.


async def test_a_second_rotation_supersedes_the_first_rollout(world: World) -> None:
    engine = await given_rollout(world)

    await world.account("mail", 3, "e1")
    await world.close()
    events = await world.rollout_events()

    assert [(type(one).__name__, one.version) for one in events] == [
        ("RolloutEnded", 2),
        ("RolloutStarted", 3),
    ]
    assert isinstance(events[0], RolloutEnded)
    assert events[0].proof_sha256 is None
    await world.tell(engine.confirm(2, ONE))
    assert not await is_completed(world)
    await world.tell(engine.confirm(3, ONE))
    assert await is_completed(world)


async def test_a_confirmation_of_a_version_not_heard_of_yet_is_kept(world: World) -> None:
    engine = await given_rollout(world)
    await world.tell(engine.confirm(3, ONE))
    assert await is_completed(world)

    await world.account("mail", 3, "e1")

    assert await is_completed(world)


async def test_a_version_opens_one_rollout_however_often_its_news_comes(world: World) -> None:
    await given_rollout(world)
    await world.account("mail", 2, "e1")
    await world.account("mail", 2, "e1", state="needs_attention", reason="No.")
    await world.close()

    assert await world.rollout_events() == []


async def test_version_one_opens_no_rollout(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")))
    await world.close()
    await world.account("mail", 1, "e1")
    await world.close()

    assert await world.rollout_events() == []


async def test_news_in_any_order_leaves_the_newest(world: World) -> None:
    newer, older = world.news("mail", 2, "e1"), world.news("mail", 3, "e1")
    await world.tell(older)
    await world.tell(newer)
    await world.close()

    assert [one.version for one in await world.rollout_events()] == [3]


# Deleting is a rotation to nothing.


async def test_deleting_an_account_waits_until_engines_hold_nothing(world: World) -> None:
    engine = await given_rollout(world)
    await world.tell(engine.confirm(2, ONE))
    assert await is_completed(world)

    await world.account("mail", 3, "e1", state="deleted")
    assert await waits_for(world) == {"e1": "unconfirmed"}
    await world.tell(engine.confirm(3, ONE))
    assert not await is_completed(world)

    await world.tell(engine.confirm(3, ONE, holds=False))
    assert await is_completed(world)
    verdict = check(await world.proof("mail", 3), None)
    assert verdict.problems == ()
    assert verdict.proof is not None
    assert verdict.proof.is_deletion


# Late legs.


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

    await world.account("mail", 3, creator="bob")
    await world.account("mail", 3)
    await world.close()

    assert [one for one in await world.events() if "Account" in type(one).__name__] == []


# A leasing engine.


@pytest.mark.parametrize("seconds", [-1, 3600])
async def test_a_leasing_engines_leg_waits_for_its_last_older_lease(
    world: World, seconds: int
) -> None:
    engine = await world.engine(kind="leasing")
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")))
    until = utc_now() + timedelta(seconds=seconds)
    await world.account("mail", 2, HolderRef(engine_id="e1", lease_until=until))

    assert await waits_for(world) == ({"e1": "lease"} if seconds > 0 else None)


async def test_a_rollout_nobody_depends_on_completes_at_once(world: World) -> None:
    await world.account()
    await world.account("mail", 2)
    await world.look(QUIET)

    events = await world.rollout_events()
    assert [type(one).__name__ for one in events] == ["RolloutStarted", "RolloutCompleted"]
    assert check(await world.proof(), None).problems == ()
