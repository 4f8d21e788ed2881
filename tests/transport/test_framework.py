"""What is reached into of FastStream and aiokafka: a version that changes it fails here first."""

import inspect
from hashlib import sha256
from importlib import import_module
from operator import attrgetter
from typing import Any, cast

import faststream
import pytest
from faststream._internal.endpoint.subscriber.usecase import SubscriberUsecase
from faststream.kafka import KafkaBroker

from shared.messaging.framework import Polled, build_broker, subscribe
from shared.settings import KafkaSettings

_FASTSTREAM = "faststream._internal.endpoint.subscriber.usecase"
_KAFKA = "faststream.kafka.subscriber.usecase"
_ACCUMULATOR = "aiokafka.producer.message_accumulator"
KNOWN = [
    # Whatever `get_msg` returns is consumed, unless it is empty; its own sleeps where that is so.
    (_KAFKA, "BatchSubscriber.get_msg", "0efea2c3c73db62b"),
    (_KAFKA, "LogicSubscriber._run_consume_loop", "7fb3872a580bd68a"),
    (_KAFKA, "LogicSubscriber.start", "22356b7ea82e511c"),
    (_KAFKA, "LogicSubscriber.stop", "5614adbd6c1f4181"),
    (_FASTSTREAM, "SubscriberUsecase.consume", "af3ce5f503f08ad1"),
    (_FASTSTREAM, "SubscriberUsecase.process_message", "aa3ed06c328d92ab"),
    # A producer is closed without sending what it still has.
    ("aiokafka.producer.sender", "Sender._sender_routine", "2380dc5e333d9ebd"),
    ("aiokafka.producer.sender", "Sender.close", "f60b3d023d2526f4"),
    (_ACCUMULATOR, "MessageAccumulator.close", "f1d449c7937fbc6b"),
    (_ACCUMULATOR, "MessageAccumulator.flush", "2b0eaa3da8519269"),
    ("aiokafka.producer.producer", "AIOKafkaProducer.stop", "43ef97147111893b"),
]


@pytest.mark.parametrize(("module", "name", "digest"), KNOWN, ids=[name for _, name, _ in KNOWN])
def test_what_we_rely_on_is_as_it_was_read(module: str, name: str, digest: str) -> None:
    """Read it again, see that what we replace and rely on still holds, and note its digest."""
    function = attrgetter(name)(import_module(module))

    assert sha256(inspect.getsource(function).encode()).hexdigest()[:16] == digest


def test_the_subscription_has_the_settings_that_lose_nothing() -> None:
    subscriber: Any = _subscribed()

    assert type(subscriber).__name__ == "BatchSubscriber"
    assert subscriber.ack_policy is faststream.AckPolicy.MANUAL
    assert subscriber._no_reply is True
    assert subscriber._connection_args["auto_offset_reset"] == "earliest"
    assert subscriber._connection_args["enable_auto_commit"] is False
    assert subscriber._outer_config.consumer_only is True
    assert subscriber._outer_config.allow_auto_create_topics is False
    assert subscriber._outer_config.fd_config.use_fastdepends is False
    assert subscriber.get_msg.__module__ == "shared.messaging.framework"


async def test_an_empty_poll_is_handled_too() -> None:
    """It is when what is held is taken up; the framework's own would sleep and go on."""
    handled: list[Polled] = []

    async def handle(polled: Polled) -> None:
        handled.append(polled)

    subscriber: Any = _subscribed(handle=handle)
    subscriber._outer_config.logger._setup(subscriber._outer_config.context)
    await cast("Any", SubscriberUsecase).start(subscriber)
    subscriber._post_start()

    message = await subscriber.get_msg(None)
    assert message
    await subscriber.consume_one(message)

    assert handled == [Polled(1, [])]


def _subscribed(handle: Any = None) -> Any:
    settings = KafkaSettings.model_validate(
        {"bootstrap": "127.0.0.1:1", "principal": "catalog", "password": "p"}
    )

    async def poll(_client: object) -> Polled:
        return Polled(1, [])

    async def ignore(_polled: Polled) -> None: ...

    broker: KafkaBroker = build_broker(settings, client_id="test")
    subscribe(
        broker,
        ["keyturn.catalog.commands"],
        group="keyturn.catalog",
        instance="catalog-1",
        listener=cast("Any", None),
        poll=poll,
        handle=handle or ignore,
    )
    [subscriber] = broker.subscribers
    return subscriber
