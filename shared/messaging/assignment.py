"""Which partitions are ours, and how far each has been applied: taken over, sought to, let go."""

import asyncio
import random
from collections.abc import Callable, Iterable

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.messaging import position
from shared.messaging.client import Client
from shared.messaging.jobs import is_ours_to_end
from shared.messaging.position import OtherCluster, Owned
from shared.messaging.record import Partition
from shared.telemetry.health import Health

_log = structlog.stdlib.get_logger()

_PART = "consumer"
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


class Assignment(ConsumerRebalanceListener):
    """What the group has given to this process, and PostgreSQL has confirmed as ours.

    A record counts only while its partition is in `owned`: what was fetched before the position
    was sought to lies elsewhere in the log, and would be taken for what comes next.
    """

    def __init__(
        self,
        *,
        writer: AsyncEngine,
        client: Callable[[], Client | None],
        cluster_id: str,
        health: Health,
        fail: Callable[[str], None],
    ) -> None:
        self._writer = writer
        self._cluster_id = cluster_id
        self._health = health
        self._fail = fail
        self._client_of = client
        self._assigned: frozenset[Partition] | None = None
        self.owned: dict[Partition, Owned] = {}
        self.in_hand = asyncio.Lock()
        """Held while a transaction is under way: a revocation waits for it, and for no more."""
        self.generation = 0
        """Another number means that everything read before is somebody else's."""

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # noqa: ARG002  # pyright: ignore[reportIncompatibleMethodOverride]  all of them; and it may be a coroutine
        """Finish the transaction in hand, and no more."""
        self.generation += 1
        self._assigned = None
        self._health.is_missing(_PART, "waits for its partitions")
        async with self.in_hand:
            self.owned = {}

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  it may be a coroutine
        """Take the partitions over, however long the database lets us wait for it."""
        self.generation += 1
        generation = self.generation
        partitions = [Partition(one.topic, one.partition) for one in assigned]
        pause = _FIRST_PAUSE
        while generation == self.generation:
            try:
                await self._take_over(partitions)
            except asyncio.CancelledError:
                if is_ours_to_end():
                    raise
            except OtherCluster as error:
                self._fail(str(error))
                return
            except (OSError, SQLAlchemyError, KafkaError, IllegalStateError) as error:
                _log.error("partitions could not be taken over yet", pause=pause, exc_info=error)
            else:
                return
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  spreads retries
            pause = min(pause * 2, _LONGEST_PAUSE)

    @property
    def is_complete(self) -> bool:
        """Whether all that the group gave us is ours in the database too; nothing is complete."""
        return self._assigned is not None and self._assigned == self.owned.keys()

    def let_go(self, partitions: Iterable[Partition]) -> None:
        """Stop counting them as ours: another owner has taken them over."""
        gone = set(partitions)
        self.owned = {one: owned for one, owned in self.owned.items() if one not in gone}
        self._health.is_missing(_PART, "has lost partitions to another process")

    def seek_again(self) -> None:
        """Read on from where the database stands, whatever the client has skipped or kept."""
        for partition, owned in self.owned.items():
            try:
                self._seek(partition, owned.next_offset)
            except IllegalStateError:
                # Taken away in this moment; whoever gets it seeks for himself.
                continue

    async def _take_over(self, partitions: list[Partition]) -> None:
        async with self._writer.begin() as connection:
            owned = await position.assign(connection, partitions, self._cluster_id)
        ends = await self._client.end_offsets([TopicPartition(*one) for one in partitions])
        for partition, ours in owned.items():
            end = ends[TopicPartition(*partition)]
            if ours.next_offset > end:
                self._fail(
                    f"{partition.topic} ends at {end} in partition {partition.number}, and "
                    f"{ours.next_offset} has been read of it: its log was cut or made anew. What "
                    "it lost cannot be known here; see the operator's guide before going on."
                )
                return
            self._seek(partition, ours.next_offset)
        self.owned = owned
        self._assigned = frozenset(owned)
        self._health.is_ready(_PART)
        _log.info("partitions taken over", partitions=len(owned))

    def _seek(self, partition: Partition, offset: int) -> None:
        self._client.seek(TopicPartition(*partition), offset)

    @property
    def _client(self) -> Client:
        client = self._client_of()
        if client is None:
            raise IllegalStateError("The client has been closed.")
        return client
