"""Kafka as the client's tests see it from the other side: as its administrator."""

from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from keyturn_client.keys import write_private
from keyturn_client.settings import Kafka
from keyturn_client.wire import Record
from keyturn_contracts.topics import PARTITIONS

from shared.messaging.kafka import client_options
from tests.running_stack import RunningKafka


def kafka_of(running: RunningKafka, principal: str, folder: Path) -> Kafka:
    """Return how a principal reaches it, with its password in a file."""
    known = running.settings_of(principal)
    password = folder / f"{principal}-password"
    if not password.exists():
        write_private(password, running.password_of(principal))
    return Kafka(
        bootstrap=known.bootstrap,
        principal=principal,
        password_file=password,
        security_protocol=known.security_protocol,
        mechanism=known.mechanism,
    )


@asynccontextmanager
async def standing_at_the_end(running: RunningKafka, topic: str) -> AsyncGenerator[Any]:
    """Read a topic from its current end, whoever may not."""
    consumer: Any = AIOKafkaConsumer(**client_options(running.settings_of("admin")))
    await consumer.start()
    try:
        places = [TopicPartition(topic, one) for one in range(PARTITIONS)]
        consumer.assign(places)
        for place, end in (await consumer.end_offsets(places)).items():
            consumer.seek(place, end)
        yield consumer
    finally:
        await consumer.stop()


async def next_records(consumer: Any, count: int) -> list[Any]:
    """Return so many records, in the order of their partition."""
    found: list[Any] = []
    while len(found) < count:
        batches = await consumer.getmany(timeout_ms=1000)
        found += [one for batch in batches.values() for one in batch]
    return found


async def write_as(running: RunningKafka, principal: str, records: Sequence[Record]) -> None:
    producer: Any = AIOKafkaProducer(**client_options(running.settings_of(principal)))
    await producer.start()
    try:
        sent: list[Awaitable[object]] = [
            await producer.send(one.topic, one.value, key=one.key, headers=list(one.headers))
            for one in records
        ]
        for one in sent:
            await one
    finally:
        await producer.stop()
