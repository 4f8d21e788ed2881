"""Replies to a topic that is not there: looked for once, and in nobody's way after that."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError

from shared.messaging.relay import _Row, _send  # pyright: ignore[reportPrivateUsage]  a broker that has the right and not the topic is no easy thing to come by


class OnlyEvents:
    """A client whose broker has no topic for replies, and which looks long for one."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def send(self, topic: str, *_: Any, **__: Any) -> "asyncio.Future[object]":
        self.asked.append(topic)
        if topic.startswith("keyturn.replies."):
            raise UnknownTopicOrPartitionError
        sent: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        sent.set_result(None)
        return sent


def rows(*topics: str) -> list[_Row]:
    return [_Row(number, topic, "k", "{}", b"{}") for number, topic in enumerate(topics)]


async def test_a_missing_topic_of_replies_is_looked_for_once_for_all_of_them() -> None:
    client, missing = OnlyEvents(), dict[str, float]()

    async def sent(given: Sequence[_Row]) -> tuple[int, BaseException | None]:
        return await _send(cast("AIOKafkaProducer", client), given, missing)

    mixed = rows("keyturn.replies.gone", "keyturn.notes.events", "keyturn.replies.gone")
    assert await sent(mixed) == (3, None)
    assert await sent(mixed) == (3, None)

    assert client.asked.count("keyturn.replies.gone") == 1
    assert client.asked.count("keyturn.notes.events") == 2
