"""Who may go on from where."""

from asyncio import create_task

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.messaging import position
from shared.messaging.delivery import deliver
from shared.messaging.poll import Poll
from shared.messaging.position import Fenced, OtherCluster, Owned
from shared.messaging.record import Ignored, Partition
from tests.batches import asked
from tests.messaging.log import CLUSTER, COMMANDS, Log, totals
from tests.messaging.toy import Add
from tests.waiting import eventually

ZERO = Partition(COMMANDS, 0)
ONE = Partition(COMMANDS, 1)


async def test_a_partition_that_was_never_read_stands_at_its_beginning(
    engine: AsyncEngine,
) -> None:
    async with engine.begin() as connection:
        assigned = await position.assign(connection, [ONE, ZERO], CLUSTER)

    assert assigned == {ZERO: Owned(1, 0), ONE: Owned(1, 0)}


async def test_a_poll_moves_the_position_with_its_effects(engine: AsyncEngine) -> None:
    log = Log(engine)
    log.append(asked(Add(counter_id="mail", amount=1)), Ignored())
    log.append(asked(Add(counter_id="chat", amount=1)), partition=1)

    done = await log.poll()

    assert {partition: one.next_offset for partition, one in done.owned.items()} == {
        ZERO: 2,
        ONE: 1,
    }
    async with engine.connect() as connection:
        assert await position.read(connection, [ZERO, ONE]) == done.owned
    assert await totals(engine) == {"mail": 1, "chat": 1}


async def test_a_new_owner_goes_on_from_there_and_the_old_one_is_fenced(
    engine: AsyncEngine,
) -> None:
    zombie = Log(engine)
    zombie.append(asked(Add(counter_id="mail", amount=1)))
    await zombie.poll()
    successor = Log(engine, records=zombie.records, contents=zombie.contents)

    await successor.assign()
    zombie.append(asked(Add(counter_id="mail", amount=2)))

    assert successor.owned == {ZERO: Owned(2, 1)}
    with pytest.raises(Fenced):
        await zombie.poll()
    assert await totals(engine) == {"mail": 1}
    await successor.poll()
    assert await totals(engine) == {"mail": 3}


async def test_a_poll_that_was_applied_already_is_fenced(engine: AsyncEngine) -> None:
    """As after a commit whose answer was lost: what was read meanwhile is read again."""
    log = Log(engine)
    log.append(asked(Add(counter_id="mail", amount=1)))
    await log.assign()
    before = dict(log.owned)

    await log.poll()
    poll = Poll(owned=before, received=log.records[ZERO], now=log.now)
    with pytest.raises(Fenced):
        await deliver(engine, log.consuming, poll)

    async with engine.connect() as connection:
        assert await position.read(connection, [ZERO]) == {ZERO: Owned(1, 1)}
    assert await totals(engine) == {"mail": 1}


async def test_one_lost_partition_undoes_the_whole_poll(engine: AsyncEngine) -> None:
    log = Log(engine)
    log.append(asked(Add(counter_id="mail", amount=1)))
    log.append(asked(Add(counter_id="chat", amount=1)), partition=1)
    await log.assign()
    async with engine.begin() as connection:
        await position.assign(connection, [ONE], CLUSTER)

    with pytest.raises(Fenced):
        await log.poll()

    assert await totals(engine) == {}


async def test_a_partition_that_is_not_ours_is_fenced(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        with pytest.raises(Fenced):
            await position.lock(connection, {}, {ZERO: 1})


async def test_another_cluster_is_refused_with_a_sentence(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await position.assign(connection, [ZERO], CLUSTER)

    async with engine.connect() as connection:
        with pytest.raises(OtherCluster, match="another Kafka cluster than this one, elsewhere"):
            await position.assign(connection, [ZERO, ONE], "elsewhere")

    async with engine.connect() as connection:
        assert await position.read(connection, [ZERO, ONE]) == {ZERO: Owned(1, 0)}


async def test_taking_over_waits_for_the_transaction_in_hand(engine: AsyncEngine) -> None:
    log = Log(engine)
    log.append(Ignored())
    await log.assign()
    async with engine.connect() as old, engine.connect() as new, engine.connect() as watcher:
        await position.lock(old, log.owned, {ZERO: 1})
        taking = create_task(position.assign(new, [ZERO], CLUSTER))

        async def is_waiting() -> bool:
            await watcher.rollback()
            return bool(await watcher.scalar(text("SELECT 1 FROM pg_locks WHERE NOT granted")))

        await eventually(is_waiting)
        await old.commit()
        assigned = await taking
        await new.rollback()

    assert assigned == {ZERO: Owned(2, 1)}
