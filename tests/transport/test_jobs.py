"""Jobs: woken, repeated while there is work, tried again when they fail, finished when stopped."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from keyturn_contracts.credential_vault import EditAccount
from keyturn_contracts.message import Message
from keyturn_contracts.workflow import RolloutChanged, RolloutCompleted

from shared.messaging.jobs import Job, JobRunner
from tests.waiting import eventually

HOUR = timedelta(hours=1)


class Work:
    """A job with so much to do, and what came of it."""

    def __init__(self, *results: int | BaseException) -> None:
        self.results = list(results)
        self.runs = 0

    async def run(self) -> int:
        self.runs += 1
        result = self.results.pop(0) if self.results else 0
        if isinstance(result, BaseException):
            raise result
        return result


@asynccontextmanager
async def running(
    run: Callable[[], Awaitable[int]], *, woken_by: tuple[type[Message], ...] | None = None
) -> AsyncGenerator[tuple[JobRunner, list[None]]]:
    told: list[None] = []
    job = Job(name="work", run=run, every=HOUR, woken_by=woken_by)
    runner = JobRunner([job], lambda: told.append(None))
    task = asyncio.create_task(runner.run())
    try:
        yield runner, told
    finally:
        runner.stop()
        await task


async def test_a_job_runs_again_at_once_while_it_finds_work() -> None:
    work = Work(3, 1)
    async with running(work.run) as (_, told):
        await eventually(lambda: work.runs == 3)
        assert len(told) == 2


async def test_a_commit_wakes_it() -> None:
    work = Work()
    async with running(work.run) as (runner, _):
        await eventually(lambda: work.runs == 1)
        runner.wake()
        await eventually(lambda: work.runs == 2)


async def test_a_wake_that_comes_while_it_works_is_not_lost() -> None:
    began, go_on = asyncio.Event(), asyncio.Event()
    runs = 0

    async def run() -> int:
        nonlocal runs
        runs += 1
        began.set()
        await go_on.wait()
        return 0

    async with running(run) as (runner, _):
        await began.wait()
        runner.wake()
        go_on.set()
        await eventually(lambda: runs == 2)


async def test_housekeeping_is_woken_by_nobody() -> None:
    work = Work()
    async with running(work.run, woken_by=()) as (runner, _):
        await eventually(lambda: work.runs == 1)
        runner.wake()
        await asyncio.sleep(0)
        assert work.runs == 1


async def test_a_job_is_woken_by_the_messages_that_concern_it() -> None:
    work = Work()
    async with running(work.run, woken_by=(RolloutChanged,)) as (runner, _):
        await eventually(lambda: work.runs == 1)
        runner.wake({EditAccount})
        await asyncio.sleep(0)
        assert work.runs == 1
        runner.wake({EditAccount, RolloutCompleted})
        await eventually(lambda: work.runs == 2)
        runner.wake()
        await eventually(lambda: work.runs == 3)


async def test_what_fails_is_tried_again() -> None:
    work = Work(ZeroDivisionError(), 1)
    async with running(work.run):
        await eventually(lambda: work.runs == 3)


async def test_a_cancellation_that_is_not_ours_is_a_failure() -> None:
    work = Work(asyncio.CancelledError(), 1)
    async with running(work.run):
        await eventually(lambda: work.runs == 3)


async def test_stopping_lets_it_finish() -> None:
    began, go_on = asyncio.Event(), asyncio.Event()
    has_finished = False

    async def run() -> int:
        nonlocal has_finished
        began.set()
        await go_on.wait()
        has_finished = True
        return 1

    runner = JobRunner([Job(name="work", run=run, every=HOUR)], lambda: None)
    task = asyncio.create_task(runner.run())
    await began.wait()
    runner.stop()
    assert not task.done()
    go_on.set()
    await task

    assert has_finished
