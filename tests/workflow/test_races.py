"""Two transactions at once: what is closed is closed on what is so, and nobody is forgotten."""

from asyncio import Task, create_task, gather

import pytest
from keyturn_contracts.message import Key
from keyturn_contracts.workflow import RolloutChanged, RolloutCompleted
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.handlers import handlers
from services.workflow.jobs.closing import close
from services.workflow.jobs.judging import judge
from services.workflow.jobs.marking import mark
from services.workflow.store.account import lock_accounts, share_accounts
from services.workflow.store.concern import load_concerns
from shared.messaging.batch import Message, apply_batch
from tests.waiting import eventually
from tests.workflow.given import GivenEngine, fetched, workflow
from tests.workflow.world import PROOF_KEY, QUIET, World, told

ONE = {"w1": ("a",)}
MAIL = Key("acme", "accounts", "mail")


async def given_two_legs(world: World) -> tuple[GivenEngine, GivenEngine]:
    """Begin a rotation with two legs, of which the first is done."""
    first, second = await world.engine("e1"), await world.engine("e2")
    await world.account()
    await world.tell(first.save(workflow("w1", "a")), second.save(workflow("w1", "a")))
    await world.account("mail", 2, "e1", "e2")
    await world.tell(fetched("e1", 2), fetched("e2", 2))
    await world.tell(first.confirm(2, ONE))
    await world.close()
    await world.events()
    return first, second


async def begin(connection: AsyncConnection, *messages: Message) -> None:
    """Apply messages in a transaction that does not commit yet."""
    batch = await apply_batch(connection, handlers, messages)
    assert batch.held == []


async def is_waiting(world: World, task: Task[object]) -> bool:
    """Tell whether a transaction of this database waits for another; a task that ended does not."""
    assert not task.done(), "It did not wait."
    query = text(
        "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
        "WHERE NOT l.granted AND a.datname = current_database()"
    )
    async with world.database.writer.connect() as watcher:
        return bool(await watcher.scalar(query))


async def until_waiting(world: World, task: Task[object]) -> None:
    await eventually(lambda: is_waiting(world, task))


def completed(events: list[RolloutChanged]) -> list[RolloutCompleted]:
    return [one for one in events if isinstance(one, RolloutCompleted)]


async def test_the_closer_waits_for_a_confirmation_that_reopens_a_leg(world: World) -> None:
    first, second = await given_two_legs(world)
    failed = [{"workflow_id": "w1", "reason": "No."}]
    await world.tell(second.confirm(2, ONE))
    async with world.database.writer.begin() as other:
        await begin(other, first.confirm(2, ONE, failed=failed, failed_count=1))
        closing = create_task(world.look())
        await until_waiting(world, closing)
    await closing
    await world.close()

    assert told(await world.rollout_events()) == [("RolloutProgressed", {"e1": "failed"})]


@pytest.mark.parametrize("is_known", [True, False])
async def test_the_closer_waits_for_a_binding_that_opens_a_leg(
    world: World, *, is_known: bool
) -> None:
    _, second = await given_two_legs(world)
    third = await world.engine("e3")
    if is_known:
        await world.tell(third.save(workflow("w0", "a", owner="stranger")))
    await world.tell(second.confirm(2, ONE))
    async with world.database.writer.begin() as other:
        await begin(other, third.save(workflow("w1", "a")))
        closing = create_task(world.look())
        await until_waiting(world, closing)
    await closing
    await world.close()

    assert told(await world.rollout_events()) == [("RolloutProgressed", {"e3": "unconfirmed"})]


async def test_a_binding_that_comes_while_the_closer_closes_waits_for_it(world: World) -> None:
    _, second = await given_two_legs(world)
    third = await world.engine("e3")
    await world.tell(second.confirm(2, ONE))
    async with world.database.writer.begin() as closer:
        assert await close(closer, PROOF_KEY, QUIET, 100) == 1
        saving = create_task(world.tell(third.save(workflow("w1", "a"))))
        await until_waiting(world, saving)
    await saving
    await world.close()

    assert len(completed(await world.rollout_events())) == 1
    assert (await world.holding("e3")).announced.is_allowed


async def test_two_closers_at_once_close_once(world: World) -> None:
    _, second = await given_two_legs(world)
    await world.tell(second.confirm(2, ONE))

    await gather(*(world.look() for _ in range(4)))

    [event] = completed(await world.rollout_events())
    assert event.proof_sha256 is not None


async def test_two_closers_open_a_rollout_once(world: World) -> None:
    await world.engine()
    await world.account()
    await world.account("mail", 2, "e1")

    await gather(*(world.look() for _ in range(4)))

    assert [type(one).__name__ for one in await world.rollout_events()] == ["RolloutStarted"]


async def test_an_accounts_first_news_finds_who_has_named_it_meanwhile(world: World) -> None:
    engine = await world.engine()
    async with world.database.writer.begin() as other:
        await begin(other, engine.save(workflow("w1", "a")))
        telling = create_task(world.account())
        await until_waiting(world, telling)
    await telling
    assert not (await world.holding()).announced.is_allowed

    await world.close()

    assert (await world.holding()).announced.is_allowed


async def test_a_binding_that_waits_for_the_accounts_news_knows_it_at_once(world: World) -> None:
    engine = await world.engine()
    async with world.database.writer.begin() as other:
        await begin(other, world.news(), world.granted("ada"))
        saving = create_task(world.tell(engine.save(workflow("w1", "a"))))
        await until_waiting(world, saving)
    await saving

    assert (await world.holding()).announced.is_allowed


async def test_a_binding_waits_while_its_account_is_judged(world: World) -> None:
    engine, other_engine = await world.engine("e1"), await world.engine("e2")
    await world.tell(engine.save(workflow("w1", "a")))
    await world.account()
    async with world.database.writer.begin() as other:
        assert await judge(other, 100) == 1
        saving = create_task(world.tell(other_engine.save(workflow("w1", "a"))))
        await until_waiting(world, saving)
    await saving

    assert [(await world.holding(one)).allowed_count for one in ("e1", "e2")] == [1, 1]


async def test_the_closer_leaves_an_account_alone_until_it_is_judged(world: World) -> None:
    """Who may use it is not certain until then, so neither is who is a leg."""
    engine = await world.engine()
    await world.tell(engine.save(workflow("w1", "a")))
    await world.account("mail", 2)

    assert await world.look() == 0
    await world.judge()
    await world.look()

    assert told(await world.rollout_events()) == [("RolloutStarted", {"e1": "unconfirmed"})]


async def test_the_closer_waits_for_news_that_lets_somebody_else_in(world: World) -> None:
    """It saw the account before its news came, and must not count the legs of that time."""
    first, second = await given_two_legs(world)
    third = await world.engine("e3")
    await world.tell(third.save(workflow("w1", "a", owner="bob")))
    await world.tell(second.confirm(2, ONE))
    await world.give("bob")
    async with world.database.writer.begin() as other:
        await mark(other, await load_concerns(other, 100))
        closing = create_task(world.look())
        await until_waiting(world, closing)
    assert await closing == 0
    await world.close()

    assert told(await world.rollout_events()) == [("RolloutProgressed", {"e3": "unconfirmed"})]
    assert first.id == "e1"


async def test_accounts_are_locked_in_the_order_of_their_keys(world: World) -> None:
    """Two transactions that lock in different orders wait for each other for ever."""
    await world.account("z")
    await world.account("a")
    first, last = Key("acme", "accounts", "a"), Key("acme", "accounts", "z")
    for lock in (share_accounts, lock_accounts):
        async with (
            world.database.writer.connect() as holder,
            world.database.writer.connect() as waiter,
            world.database.writer.connect() as watcher,
        ):
            await lock_accounts(holder, [first])
            waiting = create_task(lock(waiter, [last, first]))
            await until_waiting(world, waiting)

            free = await watcher.scalars(
                text("SELECT id FROM account WHERE brand_id = 'acme' FOR UPDATE SKIP LOCKED")
            )
            assert free.all() == ["z"]
            await watcher.rollback()
            await holder.rollback()
            await waiting
            await waiter.rollback()
