"""Tells Kafka how far a group has read: a hint for people and tools, never what is believed."""

import asyncio
from collections.abc import Mapping

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from shared.messaging.client import Client
from shared.messaging.jobs import wait_for_event
from shared.messaging.record import Partition
from shared.telemetry import metrics

_EVERY = 1.0
_AT_MOST = 10.0
_GRACE_SECONDS = 2.0


class Hints:
    """Commits the newest offsets behind everybody's back, once a second at most."""

    def __init__(self) -> None:
        self._offsets: dict[TopicPartition, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()

    def give(self, client: Client, offsets: Mapping[Partition, int]) -> None:
        """Have these offsets committed soon; an error is counted and forgotten."""
        self._offsets |= {TopicPartition(*one): offset for one, offset in offsets.items()}
        is_idle = self._task is None or self._task.done()
        if self._offsets and is_idle and not self._stopped.is_set():
            self._task = asyncio.create_task(self._commit(client), name="offset hints")

    async def stop(self) -> None:
        """Give up what was not committed: whoever comes next reads the database."""
        self._stopped.set()
        if self._task is not None:
            # The client goes on with a commit whose caller was cancelled: let it end first.
            await asyncio.wait([self._task], timeout=_GRACE_SECONDS)
            self._task.cancel()

    async def _commit(self, client: Client) -> None:
        while self._offsets and not self._stopped.is_set():
            offsets, self._offsets = self._offsets, {}
            try:
                async with asyncio.timeout(_AT_MOST):
                    await client.commit(offsets)
            except (KafkaError, IllegalStateError, TimeoutError):
                metrics.OFFSET_HINTS_FAILED.inc()
            await wait_for_event(self._stopped, _EVERY)
