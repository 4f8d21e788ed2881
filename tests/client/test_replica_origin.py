"""By what a copy knows that it still reads the same topic: the ids that Kafka tells."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from keyturn_client import UnreachableError
from keyturn_client.replica.origin import Origins, origins

from tests.client.kafka import kafka_of
from tests.client.replicas import EVENTS
from tests.running_stack import RunningStack

OTHER = "keyturn.catalog.events"


async def test_kafka_names_its_cluster_and_each_topic_by_an_id(
    stack: RunningStack, tmp_path: Path
) -> None:
    kafka = kafka_of(stack.kafka, "engine", tmp_path)
    async with origins(kafka, [EVENTS]) as asking:
        first, second = await asking.now(), await asking.now()
    async with origins(kafka, [EVENTS]) as asking:
        again = await asking.now()

    assert first == second == again
    assert first.cluster
    assert first.topics.keys() == {EVENTS}
    assert len(first.topics[EVENTS]) == 16
    assert any(first.topics[EVENTS])


async def test_a_topic_that_is_not_there_has_no_origin(stack: RunningStack, tmp_path: Path) -> None:
    async with origins(kafka_of(stack.kafka, "admin", tmp_path), [EVENTS, "no.such"]) as asking:
        with pytest.raises(UnreachableError) as raised:
            await asking.now()

    assert "UnknownTopicOrPartitionError" in str(raised.value)


@dataclass
class Answer:
    topics: Sequence[tuple[Any, ...]]
    cluster_id: str = "here"


class Broker:
    """The other end of the connection: one that does not tell what is needed."""

    def __init__(self, *topics: tuple[Any, ...]) -> None:
        self._topics = topics

    async def bootstrap(self) -> None: ...
    async def close(self) -> None: ...
    def get_random_node(self) -> int | None:
        return 1

    async def send(self, node_id: int | None, request: object) -> Answer:
        if not self._topics:
            raise NotImplementedError
        return Answer(self._topics)


@pytest.mark.parametrize(
    "broker",
    [Broker(), Broker((0, EVENTS, bytes(16))), Broker((0, OTHER, bytes(15) + b"1"))],
    ids=["older than the question", "without ids", "of another topic"],
)
async def test_where_kafka_tells_no_id_nothing_is_believed(broker: Broker) -> None:
    with pytest.raises(UnreachableError) as raised:
        await Origins(broker, [EVENTS]).now()

    assert "Kafka 2.8 or newer" in str(raised.value)
