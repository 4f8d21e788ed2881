"""The workflow service on a real database, each message delivered twice."""

from keyturn_contracts.message import CommandApplied

from tests.workflow.given import workflow
from tests.workflow.world import World, told


async def test_a_rotation_reaches_an_engine_and_completes_with_a_proof(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a"), workflow("w2", "a")))
    await world.account("mail", 2, "e1")
    await world.close()
    assert told(await world.rollout_events()) == [("RolloutStarted", {"e1": "unconfirmed"})]

    tasks = {"w1": ("a",), "w2": ("a",)}
    outcome = await world.answer(engine.confirm(2, tasks, holds=False))
    await world.close()

    assert isinstance(outcome, CommandApplied)
    assert told(await world.rollout_events()) == [("RolloutCompleted", {})]
