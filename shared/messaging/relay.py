"""Publishes what the outbox holds: in its order, at least once, and whatever fails meanwhile."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Literal, NamedTuple, cast

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.structs import RecordMetadata
from asyncpg import InterfaceError, PostgresError
from keyturn_contracts.envelope import TIME
from keyturn_contracts.topics import replies_topic

from shared.database.engines import Session, connect_alone
from shared.messaging.crash import crash_point
from shared.messaging.jobs import is_ours_to_end, wait_for_event
from shared.messaging.kafka import MAX_RECORD_BYTES, client_options
from shared.messaging.outbox import read_headers
from shared.settings import ServiceSettings
from shared.telemetry import metrics

_log = structlog.stdlib.get_logger()

CHANNEL = "keyturn_outbox"
"""Whoever has committed something to send and is not the relay tells it here."""
_LOCK = 0x6B657974_0001
"""The session advisory lock of the one relay of a database: `keyt`, and a number."""

_READ = "SELECT id, topic, key, headers, value FROM outbox ORDER BY id LIMIT $1"
_DELETE = "DELETE FROM outbox WHERE id = ANY($1)"
_DEPTH = "SELECT count(*), (SELECT headers FROM outbox ORDER BY id LIMIT 1) FROM outbox"

_AT_ONCE = 500
_SLOW_POLL = 1.0
_MEASURE_EVERY = 5.0
_REQUEST_MS = 10_000
_BATCH_SECONDS = 15.0
_ABANDON_SECONDS = 3.0
_MISSING_SECONDS = 60.0
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0

# A sender has its outcome over HTTP too: a reply that cannot be sent must not stop the events.
_NO_TOPIC = (TopicAuthorizationFailedError, UnknownTopicOrPartitionError)
_NO_SUCH_REPLY = (*_NO_TOPIC, MessageSizeTooLargeError)
_REPLIES = replies_topic("")


class _Row(NamedTuple):
    id: int
    topic: str
    key: str
    headers: str
    value: bytes


class Relay:
    """Sends and deletes, as long as it holds the lock; else waits for whoever does to be gone.

    All its statements run in the session that holds the lock: one that has lost it reads nothing
    and deletes nothing any more. It never reads by `id > last`: what commits late has a lower id.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._woken = asyncio.Event()
        self._has_sent = False
        self._missing: dict[str, float] = {}
        self.failures = 0
        """How often it had to begin again."""

    def wake(self) -> None:
        """Have the relay look now, in whichever process it is."""
        self._woken.set()

    async def run(self) -> None:
        """Relay until cancelled; what fails is logged, and begun again after a growing pause."""
        pause = _FIRST_PAUSE
        while True:
            self._has_sent = False
            cause: Literal["kafka", "database", "unexpected"] = "unexpected"
            error: Exception | None = None
            try:
                await self._relay()
            except asyncio.CancelledError:
                if is_ours_to_end():
                    raise
            except (KafkaError, TimeoutError) as caught:
                cause, error = "kafka", caught
            except (OSError, PostgresError, InterfaceError) as caught:
                cause, error = "database", caught
            except Exception as caught:  # noqa: BLE001  whatever it is, nothing is lost: again
                error = caught
            self.failures += 1
            metrics.RELAY_FAILURES.labels(cause=cause).inc()
            pause = _FIRST_PAUSE if self._has_sent else min(pause * 2, _LONGEST_PAUSE)
            _log.error("the relay begins again", cause=cause, pause=pause, exc_info=error)
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  spreads retries

    async def _relay(self) -> None:
        session = await connect_alone(self._settings.database, "writer", name="relay")
        try:
            # A deletion that a crash forgets is a message sent twice, which readers expect.
            await session.execute("SET synchronous_commit = off")
            await self._wait_for_the_lock(session)
            await session.add_listener(CHANNEL, lambda *_: self._woken.set())
            producer = await _new_producer(self._settings)
            try:
                await self._send_for_ever(session, producer)
            finally:
                # Shielded: a producer that is not closed keeps its connections and its tasks.
                await asyncio.shield(_abandon(producer))
        finally:
            session.terminate()

    async def _wait_for_the_lock(self, session: Session) -> None:
        pause = 0.02
        while not await session.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            if await wait_for_event(self._woken, pause):
                self._woken.clear()
                await session.execute("SELECT pg_notify($1, '')", CHANNEL)
            pause = min(pause * 2, _SLOW_POLL)

    async def _send_for_ever(self, session: Session, producer: AIOKafkaProducer) -> None:
        measured_at = -_MEASURE_EVERY
        while True:
            self._woken.clear()
            rows = [_Row(*row) for row in await session.fetch(_READ, _AT_ONCE)]
            if rows:
                await self._send_and_delete(session, producer, rows)
            if (now := monotonic()) - measured_at > _MEASURE_EVERY:
                measured_at = now
                await _measure(session)
            if len(rows) < _AT_ONCE:
                await wait_for_event(self._woken, _SLOW_POLL)

    async def _send_and_delete(
        self, session: Session, producer: AIOKafkaProducer, rows: Sequence[_Row]
    ) -> None:
        crash_point("outbox.before_send")
        sent, failure = await _send(producer, rows, self._missing)
        crash_point("outbox.after_send")
        if sent:
            # Only what is before the first failure: then the newest event of a key is always the
            # last that its topic gets, and compaction keeps that one.
            await session.execute(_DELETE, [row.id for row in rows[:sent]])
            self._has_sent = True
            crash_point("outbox.after_delete")
        if failure is not None:
            raise failure


async def _send(
    producer: AIOKafkaProducer, rows: Sequence[_Row], missing: dict[str, float]
) -> tuple[int, BaseException | None]:
    """Send all, then wait for all; return how many are sent before the first failure, and that.

    `missing` is since when topics of replies are known to be missing.
    """
    answers: list[asyncio.Future[RecordMetadata]] = []
    try:
        async with asyncio.timeout(_BATCH_SECONDS):
            for row in rows:
                answers.append(await _begin(producer, row, missing))  # noqa: PERF401  kept if one raises
            results = await asyncio.gather(*answers, return_exceptions=True)
    finally:
        for answer in answers:
            answer.cancel()
    for number, (row, result) in enumerate(zip(rows, results, strict=True)):
        if isinstance(result, _NO_SUCH_REPLY) and row.topic.startswith(_REPLIES):
            _log.error("an outcome is told over HTTP alone", topic=row.topic, exc_info=result)
        elif isinstance(result, BaseException):
            return number, result
        else:
            metrics.RELAY_SENDS.labels(topic=_shown(row.topic)).inc()
    return len(rows), None


async def _begin(
    producer: AIOKafkaProducer, row: _Row, missing: dict[str, float]
) -> asyncio.Future[RecordMetadata]:
    # The client looks for a topic that is not there for as long as a request may take, for every
    # record: two of them would be more than the batch has, and nothing behind them were ever sent.
    if monotonic() - missing.get(row.topic, -_MISSING_SECONDS) < _MISSING_SECONDS:
        return _failed(UnknownTopicOrPartitionError())
    send = cast("Callable[..., Awaitable[asyncio.Future[RecordMetadata]]]", producer.send)
    try:
        return await send(row.topic, row.value, row.key.encode(), headers=read_headers(row.headers))
    except KafkaError as error:
        if isinstance(error, _NO_TOPIC) and row.topic.startswith(_REPLIES):
            missing[row.topic] = monotonic()
        return _failed(error)


def _failed(error: KafkaError) -> asyncio.Future[RecordMetadata]:
    failed: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
    failed.set_exception(error)
    return failed


async def _new_producer(settings: ServiceSettings) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(
        **client_options(settings.kafka),
        client_id=f"keyturn-{settings.service}-relay",
        enable_idempotence=True,
        acks="all",
        max_request_size=MAX_RECORD_BYTES,
        max_batch_size=MAX_RECORD_BYTES,
        request_timeout_ms=_REQUEST_MS,
    )
    try:
        await producer.start()
    except BaseException:
        await producer.stop()
        raise
    return producer


async def _abandon(producer: AIOKafkaProducer) -> None:
    """Close a producer without sending what it still has: another one sends all of it again.

    Its own `stop` would first send the rest, and an idempotent one never gives that up. After one
    failed batch its sequence numbers have a gap, so that the partition takes nothing from it.
    tests/transport/test_framework.py fails where what is reached into here changes.
    """
    sending = producer._sender.sender_task  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  see above
    if sending is not None:
        sending.cancel()
    # Ends what is on its way; only then has the task that sends nothing more to wait for.
    await producer.client.close()
    if sending is not None:
        await asyncio.wait([sending], timeout=_ABANDON_SECONDS)
    unsent = producer._message_accumulator  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  see above
    for batches in (unsent._batches, unsent._pending_batches):  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType, reportUnknownVariableType]  see above
        batches.clear()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_ABANDON_SECONDS):
            await producer.stop()


async def _measure(session: Session) -> None:
    [[depth, oldest]] = await session.fetch(_DEPTH)
    metrics.OUTBOX_DEPTH.set(depth)
    age = 0.0
    if oldest is not None:
        written = dict(read_headers(oldest))[TIME].decode()
        age = (datetime.now(UTC) - datetime.fromisoformat(written)).total_seconds()
    metrics.OUTBOX_AGE.set(max(age, 0.0))


def _shown(topic: str) -> str:
    """Return a topic as a label: the name of an issuer is none of a metric's business."""
    return f"{_REPLIES}*" if topic.startswith(_REPLIES) else topic
