"""Runs the notes service on real Kafka and PostgreSQL: its parts here, or a process of its own."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import anyio.to_thread
import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from keyturn_contracts.actor import Role, sign_token
from keyturn_contracts.topics import PARTITIONS, commands_topic, events_topic
from sqlalchemy import select, update

from deploy.local.stack import Stack
from shared.messaging import position
from shared.messaging.consumer import Consumer
from shared.messaging.context import Context
from shared.messaging.declared import Service
from shared.messaging.kafka import client_options
from shared.messaging.reading import Reading
from shared.messaging.record import Partition, RawRecord
from shared.messaging.relay import Relay
from shared.messaging.tables import PositionRow
from shared.settings import ServiceSettings, write_settings
from shared.telemetry.health import Health
from tests.forking import fork
from tests.running_stack import RunningStack
from tests.transport import notes
from tests.transport.given import GivenIssuer, command_record
from tests.waiting import until

T = TypeVar("T")


@dataclass(frozen=True)
class Given:
    """A service with a database to itself that stands at the end of its topics."""

    stack: RunningStack
    service: Service
    context: Context
    issuer: GivenIssuer
    producer: Any
    """As the principal `backend`; aiokafka's are not typed."""
    cluster_id: str
    brand: str

    @property
    def settings(self) -> ServiceSettings:
        return self.context.settings

    def with_settings(self, **changes: Any) -> "Given":
        """Return the same with other settings."""
        settings = self.settings.model_copy(update=changes)
        return replace(self, context=replace(self.context, settings=settings))

    @property
    def commands(self) -> str:
        return commands_topic(self.service.name)

    def line(self, note_id: str, line: str, **more: Any) -> RawRecord:
        """Return a command as an honest client signs it now."""
        now = datetime.now(UTC)
        usual: dict[str, Any] = {
            "by": self.issuer,
            "brand": self.brand,
            "signed_at": now,
            "appended_at": now,
        }
        return command_record(notes.AddLine(note_id=note_id, line=line), **(usual | more))

    async def send(self, *records: RawRecord) -> None:
        """Publish them in their order, and wait until the broker has all."""
        sent = [
            await self.producer.send(one.topic, one.value, one.key, headers=list(one.headers))
            for one in records
        ]
        await asyncio.gather(*sent)

    async def fetch(self, statement: Any) -> Sequence[Any]:
        async with self.context.writer.connect() as connection:
            return (await connection.execute(statement)).all()

    async def lines(self, note_id: str) -> list[str]:
        """Return what stands in the database."""
        found = await self.fetch(
            select(notes.NoteRow.lines).where(
                notes.NoteRow.brand_id == self.brand, notes.NoteRow.id == note_id
            )
        )
        return found[0][0].split("\n") if found else []

    async def announced(self, note_id: str) -> list[tuple[str, ...]]:
        """Return each state of a note as its topic has it, repeats included."""
        key = f"{self.brand}/notes/{note_id}".encode()
        found = await read_all(self.stack, events_topic(notes.SERVICE))
        return [
            notes.LineAdded.model_validate_json(one.value).lines for one in found if one.key == key
        ]

    @asynccontextmanager
    async def consuming(self, **more: Any) -> AsyncGenerator["Consuming"]:
        """Run the consumer here, as a task of this test."""
        consuming = Consuming(self, **more)
        try:
            await consuming.consumer.start()
            yield consuming
        finally:
            await consuming.consumer.stop()

    @asynccontextmanager
    async def relaying(self) -> AsyncGenerator[Relay]:
        """Run the relay here, as a task of this test."""
        relay = Relay(self.settings)
        task = asyncio.create_task(relay.run())
        try:
            yield relay
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @contextmanager
    def process(self, folder: Path, *, crash: str | None = None) -> Generator["Process"]:
        """Run the whole service in a process of its own."""
        process = Process(self, folder, crash=crash)
        try:
            yield process
        finally:
            process.kill()


@dataclass(frozen=True)
class Breakable:
    """A stack whose parts a test may kill and start again."""

    stack: Stack
    running: RunningStack
    thread: ThreadPoolExecutor
    """It stays until the stack is stopped: a part dies with the thread that started it."""

    async def kill(self, part: str) -> None:
        await self._do(lambda: self.stack.child(part).kill())

    async def start_again(self, part: str) -> None:
        await self._do(lambda: self.stack.start_again(part))

    async def _do(self, work: Callable[[], object]) -> None:
        await asyncio.get_running_loop().run_in_executor(self.thread, work)


class Consuming:
    """A consumer of this test, and what it asked for."""

    def __init__(self, given: Given, **more: Any) -> None:
        self.problems: list[str] = []
        self.woken = 0
        self.health = Health("consumer")
        service, context = given.service, given.context
        usual: dict[str, Any] = {
            "cluster_id": given.cluster_id,
            "instance": f"{service.name}-1",
            "health": self.health,
            "woken": self._wake,
            "fail": self.problems.append,
        }
        self.consumer = Consumer(
            context,
            service.handlers,
            Reading(
                service=service.name,
                handlers=service.handlers,
                listens_to=service.listens_to,
                issuers=context.issuers,
                engine_keys=None,
            ),
            **(usual | more),
        )

    def _wake(self, _applied: object) -> None:
        self.woken += 1


def waking(relay: Relay) -> Callable[[object], None]:
    """Return what has the relay look after each commit."""
    return lambda _applied: relay.wake()


class Process:
    """The service as a supervisor runs it."""

    def __init__(self, given: Given, folder: Path, *, crash: str | None = None) -> None:
        self._given = given
        settings = folder / "settings.json"
        write_settings(settings, given.settings)
        environment = {**os.environ, **({"KEYTURN_CRASH": crash} if crash else {})}
        self.log = folder / "log"
        with self.log.open("ab") as log:
            words = ["tests.transport.notes", given.service.name, str(settings)]
            self.popen = fork(words, environment=environment, output=log)

    @property
    def url(self) -> str:
        http = self._given.settings.http
        return f"http://{http.host}:{http.port}"

    def wait_ready(self) -> None:
        until(self._is_ready)

    def _is_ready(self) -> bool:
        assert self.popen.poll() is None, self.log.read_text()
        try:
            return httpx.get(f"{self.url}/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def wait_end(self) -> int:
        return self.popen.wait(30)

    def terminate(self) -> int:
        self.popen.send_signal(signal.SIGTERM)
        return self.wait_end()

    def kill(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()

    def get(self, path: str, **more: Any) -> httpx.Response:
        return httpx.get(self.url + path, headers=self.token(**more), timeout=40)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return httpx.post(self.url + path, headers=self.token(**more), timeout=40)

    def token(
        self, *, by: GivenIssuer | None = None, brand: str | None = None, roles: Iterable[Role] = ()
    ) -> dict[str, str]:
        issuer = by or self._given.issuer
        token = sign_token(
            issuer.key,
            issuer=issuer.name,
            subject="ada",
            brand=brand or self._given.brand,
            roles=roles,
            audience=self._given.service.name,
            now=datetime.now(UTC),
        )
        return {"Authorization": f"Bearer {token}"}


async def read_all(stack: RunningStack, topic: str) -> list[Any]:
    """Return every record that a topic has now, in the order of its partitions."""
    consumer: Any = AIOKafkaConsumer(
        **client_options(stack.kafka.settings_of("backend")), auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        found: dict[TopicPartition, list[Any]] = {one: [] for one in partitions}
        while any([await consumer.position(one) < ends[one] for one in partitions]):
            batch: dict[TopicPartition, list[Any]] = await consumer.getmany(timeout_ms=1000)
            for one, records in batch.items():
                found[one] += records
        return [record for one in partitions for record in found[one]]
    finally:
        await consumer.stop()


async def stand_at_the_end(context: Context, topics: Sequence[str], cluster_id: str) -> None:
    """Have a new database begin where its topics end now, after what other tests left there."""
    partitions = [Partition(topic, number) for topic in topics for number in range(PARTITIONS)]
    consumer: Any = AIOKafkaConsumer(
        **client_options(context.settings.kafka), enable_auto_commit=False
    )
    await consumer.start()
    try:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(
            [TopicPartition(*one) for one in partitions]
        )
    finally:
        await consumer.stop()
    async with context.writer.begin() as connection:
        await position.assign(connection, partitions, cluster_id)
        for partition, end in ends.items():
            await connection.execute(
                update(PositionRow)
                .where(
                    PositionRow.topic == partition.topic,
                    PositionRow.partition == partition.partition,
                )
                .values(next_offset=end)
            )


async def in_thread(work: Callable[[], T]) -> T:
    """Do what blocks without holding up the loop of the test."""
    return await anyio.to_thread.run_sync(work)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
