"""What is compared with: the same way through Kafka by a bare loop, with and without a commit."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.database.engines import Session, connect_alone
from shared.messaging.kafka import client_options
from shared.settings import DatabaseSettings, KafkaSettings

_ASKED, _ANSWERED = "keyturn.bench.asked", "keyturn.bench.answered"
_CREATE = "CREATE TABLE IF NOT EXISTS bench_commit (id bigint GENERATED ALWAYS AS IDENTITY)"
_COMMIT = "INSERT INTO bench_commit DEFAULT VALUES"
_VALUE = b"x" * 650


class RawLoop:
    """A record goes in, a loop takes it, commits one durable row if told to, and answers."""

    def __init__(self, producer: Any, answers: Any) -> None:
        self._producer = producer
        self._answers = answers

    async def round_trip(self) -> float:
        """Return how long it took from the send to the answer, in milliseconds."""
        began = perf_counter()
        await self._producer.send_and_wait(_ASKED, _VALUE)
        await self._answers.getone()
        return (perf_counter() - began) * 1000


@asynccontextmanager
async def raw_loop(
    kafka: KafkaSettings, database: DatabaseSettings, *, commits: bool
) -> AsyncGenerator[RawLoop]:
    """Run the loop in this process; it needs an administrator's principal, for its topics."""
    await _create_topics(kafka)
    session = await connect_alone(database, "owner", name="bench")
    await session.execute(_CREATE)
    producer: Any = AIOKafkaProducer(**client_options(kafka), acks="all", enable_idempotence=True)
    asked, answers = _consumer(kafka), _consumer(kafka)
    for one in (producer, asked, answers):
        await one.start()
    for consumer, topic in ((asked, _ASKED), (answers, _ANSWERED)):
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_end()
        await consumer.position(TopicPartition(topic, 0))
    echo = asyncio.create_task(_echo(asked, producer, session if commits else None))
    try:
        yield RawLoop(producer, answers)
    finally:
        echo.cancel()
        await asyncio.gather(echo, return_exceptions=True)
        for one in (producer, asked, answers):
            await one.stop()
        await session.execute("DROP TABLE IF EXISTS bench_commit")
        await session.close()


async def _echo(asked: Any, producer: Any, session: Session | None) -> None:
    while True:
        await asked.getone()
        if session is not None:
            await session.execute(_COMMIT)
        await producer.send_and_wait(_ANSWERED, _VALUE)


def _consumer(kafka: KafkaSettings) -> Any:
    return AIOKafkaConsumer(**client_options(kafka), enable_auto_commit=False)


async def _create_topics(kafka: KafkaSettings) -> None:
    admin: Any = AIOKafkaAdminClient(**client_options(kafka))
    await admin.start()
    try:
        there = set(await admin.list_topics())
        missing = [one for one in (_ASKED, _ANSWERED) if one not in there]
        if missing:
            await admin.create_topics([NewTopic(one, 1, 1) for one in missing])
        while not set(missing) <= set(await admin.list_topics()):  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.05)
    finally:
        await admin.close()
