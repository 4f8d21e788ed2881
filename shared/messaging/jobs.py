"""Work that nobody sends a message for: each job a loop of its own, woken after every commit."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

import structlog
from keyturn_contracts.message import Message

from shared.telemetry import metrics

_log = structlog.stdlib.get_logger()

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 60.0


@dataclass(frozen=True, kw_only=True)
class Job:
    """A reconciler: it looks for rows in need, and finds none when there is nothing to do.

    `run` claims what it works on, so that any number of processes may run it, and returns how many
    it handled: it is called again at once while there are any. A lost wake-up, a restart and a
    repeat cost nothing but time, `every` at most.
    """

    name: str
    run: Callable[[], Awaitable[int]]
    every: timedelta
    woken_by: tuple[type[Message], ...] | None = None
    """Which messages, once applied, make it look at once; None: whatever is committed.

    It only spares work that would find nothing, on the way of an event that somebody waits for:
    what it misses is found after `every`.
    """


class JobRunner:
    """Runs the jobs of one process; `woken` is called when one of them has handled something."""

    def __init__(self, jobs: Sequence[Job], woken: Callable[[], None]) -> None:
        self._jobs = jobs
        self._tell = woken
        self._woken = {job.name: asyncio.Event() for job in jobs}
        self._is_stopping = False

    def wake(self, applied: Collection[type[Message]] | None = None) -> None:
        """Have jobs look now: those that these messages wake, or all that anything wakes.

        One that is at work looks once more when it is done.
        """
        for job in self._jobs:
            if _concerns(job.woken_by, applied):
                self._woken[job.name].set()

    def stop(self) -> None:
        """Let every job finish what it is at; `run` returns then."""
        self._is_stopping = True
        for woken in self._woken.values():
            woken.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for job in self._jobs:
                group.create_task(self._run(job), name=f"job {job.name}")

    async def _run(self, job: Job) -> None:
        pause = _FIRST_PAUSE
        woken = self._woken[job.name]
        while not self._is_stopping:
            woken.clear()
            began = monotonic()
            try:
                handled = await job.run()
            except asyncio.CancelledError:
                if is_ours_to_end():
                    raise
                pause = await self._rest(job, pause, "a task that it awaited was cancelled")
            except Exception as error:  # noqa: BLE001  whatever it is, the job is tried again
                pause = await self._rest(job, pause, error)
            else:
                pause = _FIRST_PAUSE
                metrics.JOB_RUNS.labels(job=job.name, outcome="done").inc()
                metrics.JOB_SECONDS.labels(job=job.name).observe(monotonic() - began)
                if handled:
                    self._tell()
                elif not self._is_stopping:
                    await wait_for_event(woken, job.every.total_seconds())

    async def _rest(self, job: Job, pause: float, error: Exception | str) -> float:
        metrics.JOB_RUNS.labels(job=job.name, outcome="failed").inc()
        cause = error if isinstance(error, Exception) else None
        _log.error("a job failed and is tried again", job=job.name, pause=pause, exc_info=cause)
        await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  spreads retries
        return min(pause * 2, _LONGEST_PAUSE)


def _concerns(
    woken_by: tuple[type[Message], ...] | None, applied: Collection[type[Message]] | None
) -> bool:
    """Tell whether it is to look now; None of what was applied stands for whatever wakes it."""
    if woken_by is None:
        return True
    if applied is None:
        return bool(woken_by)
    return any(issubclass(one, woken_by) for one in applied)


def is_ours_to_end() -> bool:
    """Tell whether a CancelledError asks this task to end, or leaked out of something it awaited.

    Somebody else's cancelled task raises the very same exception in whoever awaits it; a loop
    that ended for it would be dead while everything looks alive.
    """
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


async def wait_for_event(event: asyncio.Event, seconds: float) -> bool:
    """Wait until the event is set or the time is over; tell whether it was set."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
