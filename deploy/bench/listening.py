"""Events as they arrive, each with the moment of its arrival."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from time import perf_counter

from keyturn_client import Backend
from keyturn_contracts.message import Event


class Listening:
    """Remembers when an event was first heard; who waits is woken at once."""

    def __init__(self) -> None:
        self._heard: list[tuple[Event, float]] = []
        self._news = asyncio.Condition()

    async def listen(self, backend: Backend) -> None:
        async for one in backend.events("credential-vault", "workflow", from_start=True):
            now = perf_counter()
            async with self._news:
                self._heard.append((one.event, now))
                self._news.notify_all()

    async def arrival(self, is_it: Callable[[Event], bool]) -> float:
        """Wait for an event, and return when it came, on the clock of `perf_counter`."""
        looked = 0
        async with self._news:
            while True:
                for event, at in self._heard[looked:]:
                    if is_it(event):
                        return at
                looked = len(self._heard)
                await self._news.wait()


@asynccontextmanager
async def listening(backend: Backend) -> AsyncGenerator[Listening]:
    heard = Listening()
    task = asyncio.create_task(heard.listen(backend))
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
