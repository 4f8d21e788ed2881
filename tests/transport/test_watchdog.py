"""The watchdog: what is dead, lost or at a standstill ends the process; what waits does not."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import TopicPartition
from sqlalchemy import text

from shared.messaging.record import Partition
from shared.messaging.watchdog import FROZEN_EXIT, Patience, Watchdog
from tests.forking import ROOT
from tests.transport.running import Consuming, Given
from tests.transport.test_consumer import has
from tests.waiting import eventually

_LOCK = text("SELECT * FROM note WHERE brand_id = :brand FOR UPDATE")
PATIENCE = Patience(every=0.1, unassigned=0.3, standstill=0.5)


@asynccontextmanager
async def watched(given: Given) -> AsyncGenerator[Consuming]:
    async with given.consuming() as consuming:
        await given.send(given.line("n1", "before"))
        await eventually(lambda: has(given, "n1", ["before"]))
        watchdog = Watchdog(consuming.consumer, consuming.problems.append, PATIENCE)
        watching = asyncio.create_task(watchdog.run())
        try:
            yield consuming
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def test_a_loop_that_has_ended_is_noticed(given: Given) -> None:
    async with watched(given) as consuming:
        inside: Any = consuming.consumer
        inside._subscription._subscriber.tasks[0].cancel()

        await eventually(lambda: consuming.problems)
        assert consuming.problems[0] == "The loop that reads Kafka has ended."


async def test_an_assignment_that_is_lost_is_noticed(given: Given) -> None:
    async with watched(given) as consuming:
        inside: Any = consuming.consumer
        inside._assignment.let_go([Partition(given.commands, 3)])

        await eventually(lambda: consuming.problems)
        assert "No partition has been its own" in consuming.problems[0]


async def test_a_standstill_with_more_to_read_is_noticed(given: Given) -> None:
    async with watched(given) as consuming:
        inside: Any = consuming.consumer
        inside._subscription.client.pause(
            *(TopicPartition(given.commands, number) for number in range(12))
        )
        await given.send(given.line("n1", "never read"))

        await eventually(lambda: consuming.problems)
        assert "there is more to read" in consuming.problems[0]


async def test_a_transaction_that_takes_its_time_is_no_standstill(given: Given) -> None:
    async with watched(given) as consuming, given.context.writer.connect() as blocking:
        await blocking.execute(_LOCK, {"brand": given.brand})
        await given.send(given.line("n1", "waits for a lock"))
        await eventually(lambda: consuming.consumer.is_busy)
        for _ in range(2):
            # The watchdog has looked again since.
            behind = consuming.consumer.applied()
            ends = await consuming.consumer.ends()
            assert ends != behind
        await blocking.rollback()
        await eventually(lambda: has(given, "n1", ["before", "waits for a lock"]))

        assert not consuming.problems


def test_a_loop_that_does_not_turn_ends_the_process() -> None:
    script = """
import asyncio, time
from shared.messaging.watchdog import FrozenLoop, Patience

async def main():
    task = asyncio.create_task(FrozenLoop(Patience(frozen=0.3)).run())
    await asyncio.sleep(0)
    time.sleep(60)

asyncio.run(main())
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ended.returncode == FROZEN_EXIT
    assert "the loop does not turn any more" in ended.stdout + ended.stderr
    assert "most recent call first" in ended.stderr
