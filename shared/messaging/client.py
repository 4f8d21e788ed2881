"""The part of Kafka's client that is used: aiokafka's fits it, and confluent-kafka's could."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from aiokafka import TopicPartition


class ClientRecord(Protocol):
    """A record as the client gives it, undecoded but for the names of its headers."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp: int
    timestamp_type: int


class Client(Protocol):
    """A member of a group. Its committed offsets are hints: the positions are in PostgreSQL."""

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> Mapping[TopicPartition, Sequence[ClientRecord]]:
        """Return what there is, or wait for something so long; go on behind it the next time."""
        ...

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go on there; what is kept in memory of this partition is dropped."""
        ...

    def highwater(self, partition: TopicPartition) -> int | None:
        """Return where the log ended when something was last fetched of it."""
        ...

    async def end_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """Ask the broker where logs end now."""
        ...

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None: ...
