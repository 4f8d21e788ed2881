"""Kafka as the library uses it: records out, in order and acknowledged; events in."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, cast

import aiokafka
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from keyturn_contracts.envelope import UnreadableEnvelopeError, read_headers
from keyturn_contracts.message import Event
from keyturn_contracts.registry import EVENT_BY_TYPE
from keyturn_contracts.topics import PARTITIONS
from pydantic import ValidationError

from keyturn_client.keys import read_private
from keyturn_client.problems import UnreachableError
from keyturn_client.settings import Kafka

log = logging.getLogger("keyturn_client")

_START_SECONDS = 30
_STOP_SECONDS = 5
_ANSWER_SECONDS = 10.0
MAX_REQUEST_BYTES = 1_048_576
"""A message is at most 900 KiB; the rest is for its headers."""

T = TypeVar("T")

Place = tuple[str, int]
"""A topic and a partition."""


class Client(Protocol):
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class _Producer(Client, Protocol):
    async def send(
        self, topic: str, value: bytes, *, key: bytes, headers: list[tuple[str, bytes]]
    ) -> Awaitable[object]: ...


class _Found(Protocol):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class _Consumer(Client, Protocol):
    """What is used of aiokafka, which carries no types of its own."""

    async def topics(self) -> set[str]: ...
    def assign(self, partitions: list[TopicPartition]) -> None: ...
    def seek(self, partition: TopicPartition, offset: int) -> None: ...
    async def position(self, partition: TopicPartition) -> int: ...
    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]: ...
    async def getmany(self, *, timeout_ms: int) -> dict[TopicPartition, list[_Found]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    topic: str
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A record as it was read, not looked into yet."""

    place: Place
    offset: int
    appended_at: datetime
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]

    @property
    def name(self) -> str:
        """Say where it is, for people."""
        topic, partition = self.place
        return f"{topic}[{partition}]@{self.offset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An event. Of the events of one key the one with the highest `(epoch, sequence)` is true."""

    event: Event
    brand: str
    epoch: int
    sequence: int
    appended_at: datetime


def connection(kafka: Kafka) -> dict[str, Any]:
    """Return what every client of aiokafka is made with."""
    tls = kafka.security_protocol == "SASL_SSL"
    return {
        "bootstrap_servers": kafka.bootstrap,
        "security_protocol": kafka.security_protocol,
        "sasl_mechanism": kafka.mechanism,
        "sasl_plain_username": kafka.principal,
        "sasl_plain_password": read_private(kafka.password_file).strip(),
        "ssl_context": ssl.create_default_context(cafile=kafka.ca_file) if tls else None,
    }


def _producer(kafka: Kafka) -> _Producer:
    return cast(
        "_Producer",
        aiokafka.AIOKafkaProducer(
            **connection(kafka),
            acks="all",
            enable_idempotence=True,
            max_request_size=MAX_REQUEST_BYTES,
        ),
    )


def _consumer(kafka: Kafka) -> _Consumer:
    return cast(
        "_Consumer",
        aiokafka.AIOKafkaConsumer(
            **connection(kafka),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        ),
    )


async def start_client(client: Client, kafka: Kafka) -> None:
    """Start it, or raise `UnreachableError`; then it is stopped already."""
    try:
        async with asyncio.timeout(_START_SECONDS):
            await client.start()
    except asyncio.CancelledError:
        await stop_client(client)
        raise
    except (KafkaError, OSError, TimeoutError) as error:
        await stop_client(client)
        raise UnreachableError(
            f"Kafka at {kafka.bootstrap} does not let {kafka.principal} in "
            f"({type(error).__name__}): is it running, and is the password in "
            f"{kafka.password_file} the right one?"
        ) from error


async def stop_client(client: Client) -> None:
    """Stop it, and wait for that some seconds; whoever stops it lives on, whatever becomes of it.

    In a task of its own: aiokafka awaits tasks that it has cancelled, and their `CancelledError`
    would end whoever awaits it, as if that one had been cancelled.
    """
    stopping = asyncio.create_task(client.stop())
    try:
        # It would wait for batches that nobody takes; what matters was acknowledged before.
        await asyncio.wait([stopping], timeout=_STOP_SECONDS)
    finally:
        if not stopping.done():
            stopping.cancel()
    if stopping.done() and not stopping.cancelled():
        error = stopping.exception()
        if error is not None and not isinstance(error, KafkaError | OSError):
            raise error


class Publisher:
    """Sends records in order, each acknowledged by all replicas.

    After any doubt its producer is given up: an idempotent one that lost a batch writes nothing
    more to that partition, so nothing can have overtaken what was lost.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._producer: _Producer | None = None
        self._starting = asyncio.Lock()

    async def send(self, records: Sequence[Record]) -> None:
        """Send all; after an `UnreachableError` some may be on record, and all are sent again."""
        producer = await self._started()
        try:
            futures = [
                await producer.send(one.topic, one.value, key=one.key, headers=list(one.headers))
                for one in records
            ]
            await asyncio.gather(*futures)
        except KafkaError as error:
            await self._give_up(producer)
            raise UnreachableError(
                f"Kafka did not acknowledge what was sent ({type(error).__name__}): it may be on "
                "record, and sending it again is safe."
            ) from error

    async def close(self) -> None:
        if self._producer is not None:
            await self._give_up(self._producer)

    async def _started(self) -> _Producer:
        async with self._starting:
            if self._producer is None:
                producer = _producer(self._kafka)
                await start_client(producer, self._kafka)
                self._producer = producer
            return self._producer

    async def _give_up(self, producer: _Producer) -> None:
        if self._producer is producer:
            self._producer = None
        await stop_client(producer)


class Reader:
    """Reads topics without a group: all partitions, from where it is told, as long as it likes."""

    def __init__(self, consumer: _Consumer, places: Iterable[Place]) -> None:
        self._consumer = consumer
        self.places = tuple(places)

    async def poll(self, seconds: float) -> list[Read]:
        """Return what has come, in the order of each partition; nothing after some seconds."""
        try:
            found = await self._consumer.getmany(timeout_ms=int(seconds * 1000))
        except KafkaError as error:
            raise UnreachableError(
                f"Kafka does not let the events be read ({type(error).__name__})."
            ) from error
        return [
            Read(
                place=place,
                offset=one.offset,
                appended_at=datetime.fromtimestamp(one.timestamp / 1000, UTC),
                key=one.key,
                value=one.value,
                headers=one.headers,
            )
            for place, records in found.items()
            for one in records
        ]

    async def ends(self) -> dict[Place, int]:
        """Return the offset after the newest record of each partition."""
        places = [TopicPartition(*place) for place in self.places]
        try:
            ends = await self._consumer.end_offsets(places)
        except KafkaError as error:
            raise UnreachableError(
                f"Kafka does not say how far the events go ({type(error).__name__})."
            ) from error
        return {(topic, partition): offset for (topic, partition), offset in ends.items()}

    async def positions(self) -> dict[Place, int]:
        """Return the offset behind what was read of each partition, gaps of compaction included."""
        return {one: await self._consumer.position(TopicPartition(*one)) for one in self.places}


async def answered(asking: Awaitable[T]) -> T:
    """Return what Kafka answers, or raise `UnreachableError` where it does not, in a while."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await asking
    except TimeoutError as error:
        raise UnreachableError(f"Kafka has not answered for {_ANSWER_SECONDS:g} s.") from error


@contextlib.asynccontextmanager
async def reading(
    kafka: Kafka, topics: Sequence[str], offsets: Mapping[Place, int] | None = None
) -> AsyncGenerator[Reader]:
    """Read from the given offsets; a place without one from its beginning.

    Without `offsets` it begins at the current end. An `UnreachableError` where a topic is missing:
    reading would wait for it without a word.
    """
    consumer = _consumer(kafka)
    await start_client(consumer, kafka)
    try:
        places = await _places(consumer, kafka, topics)
        consumer.assign([TopicPartition(*place) for place in places])
        reader = Reader(consumer, places)
        begin = await reader.ends() if offsets is None else offsets
        for place in places:
            consumer.seek(TopicPartition(*place), begin.get(place, 0))
        yield reader
    finally:
        await stop_client(consumer)


async def _places(consumer: _Consumer, kafka: Kafka, topics: Sequence[str]) -> list[Place]:
    try:
        found = await consumer.topics()
    except KafkaError as error:
        raise UnreachableError(
            f"Kafka at {kafka.bootstrap} does not say which topics there are."
        ) from error
    if missing := sorted(set(topics) - set(found)):
        raise UnreachableError(
            f"Kafka at {kafka.bootstrap} shows {kafka.principal} no topic {', '.join(missing)}: "
            "make the topics with `keyturn topics apply`."
        )
    return [(topic, partition) for topic in topics for partition in range(PARTITIONS)]


def read_event(record: Read) -> Heard | None:
    """Return the event in a record, or None for what this version does not know."""
    try:
        envelope = read_headers(record.headers)
    except UnreadableEnvelopeError as error:
        log.warning("The record %s is no event: %s", record.name, error)
        return None
    kind = EVENT_BY_TYPE.get(envelope.type)
    if kind is None or envelope.epoch is None or envelope.sequence is None:
        return None
    try:
        event = kind.model_validate_json(record.value or b"")
    except ValidationError:
        log.warning("The event %s is not as its contract says", record.name)
        return None
    return Heard(
        event=event,
        brand=envelope.brand,
        epoch=envelope.epoch,
        sequence=envelope.sequence,
        appended_at=record.appended_at,
    )
