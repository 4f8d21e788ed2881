"""FastStream, and the one place that reaches into it: its poll is replaced by our own."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from faststream.kafka import KafkaBroker
from faststream.message import StreamMessage
from faststream.middlewares import AckPolicy

from shared.messaging.client import Client
from shared.messaging.kafka import framework_security
from shared.messaging.record import RawRecord
from shared.settings import KafkaSettings

_MAX_FETCH_BYTES = 8 * 1024 * 1024
_MAX_PARTITION_BYTES = 2 * 1024 * 1024
_SESSION_MS = 10_000
_GRACE_SECONDS = 35.0
"""For the batch in hand when the service stops: longer than any transaction lasts."""


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll has come to; without records it is time to take up what is held."""

    generation: int
    records: Sequence[RawRecord]

    @property
    def topic(self) -> str:
        """What FastStream names in its logs of a batch."""
        return self.records[0].topic if self.records else ""


Poll = Callable[[Client], Awaitable[Polled]]
Handle = Callable[[Polled], Awaitable[None]]


def build_broker(kafka: KafkaSettings, *, client_id: str) -> KafkaBroker:
    """Return a broker that only consumes, logs nothing, and never makes a topic."""
    return KafkaBroker(
        kafka.bootstrap,
        security=framework_security(kafka),
        client_id=client_id,
        consumer_only=True,
        allow_auto_create_topics=False,
        apply_types=False,
        graceful_timeout=_GRACE_SECONDS,
        # Its logger writes whole payloads where one cannot be parsed.
        logger=None,
    )


def subscribe(
    broker: KafkaBroker,
    topics: Sequence[str],
    *,
    group: str,
    instance: str | None,
    listener: ConsumerRebalanceListener,
    poll: Poll,
    handle: Handle,
) -> "Subscription":
    """Subscribe once, to everything: each poll that `poll` returns is handed to `handle`."""
    subscriber: Any = broker.subscriber(
        *topics,
        batch=True,
        group_id=group,
        group_instance_id=instance,
        listener=listener,
        ack_policy=AckPolicy.MANUAL,
        auto_offset_reset="earliest",
        no_reply=True,
        parser=_as_message,
        decoder=_as_polled,
        fetch_max_bytes=_MAX_FETCH_BYTES,
        max_partition_fetch_bytes=_MAX_PARTITION_BYTES,
        session_timeout_ms=_SESSION_MS,
    )

    async def get_msg(consumer: AIOKafkaConsumer) -> tuple[Polled]:
        return (await poll(cast("Client", consumer)),)

    # Its own sleeps after an empty poll, and what arrives meanwhile waits. The loop around it goes
    # on for whatever is not empty; tests/transport/test_framework.py fails where that changes.
    subscriber.get_msg = get_msg

    @subscriber
    async def consume(polled: Polled) -> None:
        await handle(polled)

    return Subscription(subscriber)


class Subscription:
    """What the runtime asks of FastStream's subscriber."""

    def __init__(self, subscriber: Any) -> None:
        self._subscriber = subscriber

    @property
    def client(self) -> Client | None:
        """Return the client; it is there before any partition is assigned."""
        return cast("Client | None", self._subscriber.consumer)

    @property
    def is_running(self) -> bool:
        """Whether its loop is alive; FastStream itself says so of a dead one too."""
        tasks = self._subscriber.tasks
        return bool(tasks) and not any(task.done() for task in tasks)

    @property
    def is_leaving(self) -> bool:
        """Whether it has been told to stop."""
        return not self._subscriber.running


async def _as_message(polled: tuple[Polled]) -> StreamMessage[tuple[Polled]]:
    return StreamMessage(raw_message=polled, body=b"")


async def _as_polled(message: StreamMessage[tuple[Polled]]) -> Polled:
    return message.raw_message[0]
