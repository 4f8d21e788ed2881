"""A rotation under way, and how far it has got."""

from keyturn_contracts.workflow import RolloutCompleted

from tests.workflow.given import GivenEngine, fetched, workflow
from tests.workflow.world import World, told

ONE = {"w1": ("a",)}
"""The workflow that `given_rollout` begins with."""


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
