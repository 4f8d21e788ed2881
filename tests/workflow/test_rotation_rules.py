"""The rules of a rotation, each by its name, on a real database.

Each of these fails when its rule is taken out.
"""

from datetime import timedelta

import pytest
from keyturn_contracts.credential_vault import HolderRef
from keyturn_contracts.keys import jwks_of
from keyturn_contracts.message import CommandApplied
from keyturn_contracts.proof import check
from keyturn_contracts.workflow import (
    ListCompared,
    ListPart,
    RolloutCompleted,
    RolloutEnded,
)

from tests.workflow.given import utc_now, workflow
from tests.workflow.rotating import ONE, given_rollout, is_completed, waits_for
from tests.workflow.world import PROOF_KEY, QUIET, World

WHOLE = ListPart(id="l1", scope="everything", part=1, last=True)


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

    await world.give("bob")
    await world.account("mail", 3)
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
