"""An engine knows whether it has heard all that there is, by what Kafka says of its topics."""

from pathlib import Path

import pytest
from keyturn_client.engine.abreast import Abreast
from keyturn_client.replica.freshness import RewoundError, now
from keyturn_client.wire import reading
from keyturn_contracts.topics import PARTITIONS

from tests.client.kafka import kafka_of, write_as
from tests.client.replicas import EVENTS, announced, installed
from tests.running_stack import RunningStack
from tests.waiting import eventually


async def test_what_is_polled_up_to_the_end_is_all_that_was_told_by_then(
    stack: RunningStack, tmp_path: Path
) -> None:
    await write_as(stack.kafka, "installation", [announced(installed())])
    since = now()
    async with reading(kafka_of(stack.kafka, "engine", tmp_path), [EVENTS], {}) as reader:
        abreast = Abreast(reader)
        assert await abreast.look() is None, "nothing was read yet"

        async def is_abreast() -> bool:
            await reader.poll(0.1)
            known_at = await abreast.look()
            return known_at is not None and since < known_at <= now()

        await eventually(is_abreast)


async def test_topics_that_end_before_what_was_read_are_not_those_that_were_read(
    stack: RunningStack, tmp_path: Path
) -> None:
    beyond = {(EVENTS, one): 1_000_000 for one in range(PARTITIONS)}
    async with reading(kafka_of(stack.kafka, "engine", tmp_path), [EVENTS], beyond) as reader:
        with pytest.raises(RewoundError):
            await Abreast(reader).look()
