"""What engines use is counted by extension, now and then, and told where it is different."""

from asyncio import create_task
from collections.abc import Sequence
from datetime import timedelta

from keyturn_contracts.workflow import (
    EngineRetired,
    ExtensionUse,
    ListPart,
    RetireEngine,
    WorkflowsChanged,
)

from services.workflow.jobs.counting import count, count_engines
from tests.workflow.given import by_person, utc_now, workflow
from tests.workflow.test_races import begin, until_waiting
from tests.workflow.world import World

Uses = dict[str, tuple[int, int]]


async def counted(world: World, engine_id: str = "e1") -> list[Uses]:
    """Count, and return what was told of an engine: by extension, workflows and tasks."""
    while await world.count():
        pass
    return [
        {one.extension: (one.workflows, one.tasks) for one in uses}
        for uses in await told(world, engine_id)
    ]


async def told(world: World, engine_id: str = "e1") -> list[Sequence[ExtensionUse]]:
    return [
        event.uses
        for event in await world.events()
        if isinstance(event, WorkflowsChanged | EngineRetired) and event.engine_id == engine_id
    ]


async def test_workflows_and_tasks_are_counted_by_extension(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.account("post")
    await world.account("chat", extension="slack")
    await world.events()

    await world.tell(
        engine.save(
            workflow("w1", "a", "b"),
            workflow("w2", "a", account_id="post"),
            workflow("w3", "a", account_id="chat"),
        )
    )

    assert await counted(world) == [{"slack": (1, 1), "smtp-relay": (2, 3)}]


async def test_what_is_told_is_the_engine_as_it_is(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")))
    await world.count()

    [event] = [one for one in await world.events() if isinstance(one, WorkflowsChanged)]

    assert (event.state, event.epoch, event.number) == ("registered", 1, 2)
    assert event.sig.to_key().thumbprint() == engine.sig.thumbprint()


async def test_workflows_exchanged_for_as_many_others_are_told_of(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")))
    await world.count()
    await world.tell(engine.delete("w1"), engine.save(workflow("w2", "a")))
    await world.count()
    await world.tell(engine.delete("w2"), engine.save(workflow("w1", "a")))
    await world.count()
    await world.tell(engine.save(workflow("w1", "a")))
    assert await world.count() == 0, "nothing has changed at all"

    [[first], [other], [again]] = await told(world)
    assert (first.tasks, other.tasks) == (1, 1)
    assert first.fingerprint == again.fingerprint != other.fingerprint


async def test_an_account_counts_from_its_news_to_its_end(world: World) -> None:
    engine = await world.engine()
    await world.tell(engine.save(workflow("w1", "a")))
    unknown = await counted(world)
    await world.account()
    await world.close()
    known = await counted(world)
    await world.account("mail", 2, state="deleted")
    await world.close()

    assert unknown == []
    assert known == [{"smtp-relay": (1, 1)}]
    assert await counted(world) == [{}]


async def test_what_has_vanished_does_not_count_and_what_is_suspended_does(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a"), workflow("w2", "a", owner="bob")))
    await counted(world)

    part = ListPart(id="l1", scope="everything", part=1, last=True)
    await world.tell(engine.save(workflow("w2", "a", owner="bob"), part=part))

    assert await counted(world) == [{"smtp-relay": (1, 1)}]


async def test_a_retired_engine_uses_nothing(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")))
    await counted(world)
    await world.tell(engine.save(workflow("w2", "a")))

    await world.tell(by_person(RetireEngine(engine_id="e1", reason="Old."), at=utc_now()))

    assert await counted(world) == [{}]


async def test_an_engine_is_counted_once_in_a_pause(world: World) -> None:
    engine = await world.engine()
    await world.account()
    day = timedelta(days=1)
    await world.tell(engine.save(workflow("w1", "a")))
    assert await count_engines(world.database.writer, day, 100) == 1
    await world.tell(engine.save(workflow("w2", "a")))

    assert await count_engines(world.database.writer, day, 100) == 0


async def test_what_is_saved_while_it_is_counted_is_counted_next(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")))
    async with world.database.writer.begin() as other:
        await begin(other, engine.save(workflow("w2", "a")))
        counting = create_task(world.count())
        await until_waiting(world, counting)
    await counting

    assert await counted(world) == [{"smtp-relay": (1, 1)}, {"smtp-relay": (2, 2)}]


async def test_what_dies_before_its_commit_is_counted_again(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")))

    async with world.database.writer.connect() as connection:
        assert await count(connection, timedelta(0), 100) == 1

    assert await counted(world) == [{"smtp-relay": (1, 1)}]
