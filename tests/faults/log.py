"""What a topic holds of one brand, read from its start as a new reader would; what is kept."""

import json
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from keyturn_contracts.envelope import read_headers
from keyturn_contracts.topics import PARTITIONS, events_topic

from shared.database.engines import connect_alone
from shared.messaging.kafka import client_options
from tests.client.world import World


@dataclass(frozen=True)
class Announced:
    """One record; what was sent twice stands here twice."""

    key: str
    sequence: int
    type: str
    content: dict[str, Any]


async def kept(world: World, service: str, query: str) -> Any:
    """Return the one value that a query finds in a service's database."""
    database = world.stack.settings_of(service).database
    session = await connect_alone(database, "owner", name="test")
    try:
        return await session.fetchval(query)
    finally:
        await session.close()


async def announced(world: World, service: str, brand: str) -> dict[str, list[Announced]]:
    """Return every event of a brand by its key, in the order of the log."""
    consumer: Any = AIOKafkaConsumer(**client_options(world.stack.plan.kafka_of("admin")))
    await consumer.start()
    found: dict[str, list[Announced]] = {}
    try:
        places = [TopicPartition(events_topic(service), one) for one in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    envelope = read_headers(record.headers)
                    if envelope.brand != brand:
                        continue
                    assert envelope.sequence is not None
                    one = Announced(
                        record.key.decode(),
                        envelope.sequence,
                        envelope.type.split(".")[2],
                        json.loads(record.value),
                    )
                    found.setdefault(one.key, []).append(one)
    finally:
        await consumer.stop()
    return found


def once_each(events: list[Announced]) -> list[Announced]:
    """Return an aggregate's events without their repeats, and check what readers rely on.

    Sequences are gapless from 1 and first seen in their order, a repeat says what it said before,
    and the newest stands last, so that compaction keeps it.
    """
    first: dict[int, Announced] = {}
    for one in events:
        assert first.setdefault(one.sequence, one) == one
    assert list(first) == list(range(1, len(first) + 1))
    assert events[-1].sequence == len(first)
    return list(first.values())
