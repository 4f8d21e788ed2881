"""Work that goes on beside the body of an `async with`, and ends with it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, cast


class Background:
    """One piece of work. When it raises, the body is cancelled and the error raised as it is."""

    def __init__(self) -> None:
        self._tasks: asyncio.TaskGroup | None = None  # one for each `begin`: none begins twice
        self._work: asyncio.Task[None] | None = None

    async def begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks = await asyncio.TaskGroup().__aenter__()
        self._work = self._tasks.create_task(work)

    async def end(self, error: BaseException | None) -> None:
        """End the work; `error` is what the body ends with."""
        if self._tasks is None or self._work is None:
            return
        self._work.cancel()
        # What the body raises goes on by itself; a cancellation may be the group's own.
        cancelled = error if isinstance(error, asyncio.CancelledError) else None
        try:
            await self._tasks.__aexit__(
                type(cancelled) if cancelled else None,
                cancelled,
                cancelled.__traceback__ if cancelled else None,
            )
        except BaseExceptionGroup as group:
            raise _only(group) from None


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one thing that went wrong, where it was one."""
    leaves: list[BaseException] = [group]
    while len(leaves) == 1 and isinstance(leaves[0], BaseExceptionGroup):
        leaves = list(cast("BaseExceptionGroup[BaseException]", leaves[0]).exceptions)
    return leaves[0] if len(leaves) == 1 else group
