"""While events cannot be read a copy grows old and allows nothing; afterwards it goes on."""

import asyncio
import tempfile
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from keyturn_client import Replica, ReplicaSettings
from keyturn_client.background import Background
from keyturn_client.replica.following import Follower
from keyturn_client.wire import Record
from keyturn_contracts.installation import DomainsChanged
from keyturn_contracts.reaching import JudgementCode
from keyturn_contracts.rights import Code
from keyturn_contracts.topics import PARTITIONS, TOPICS

from deploy.local.stack import Stack
from shared.messaging.kafka import client_options
from shared.messaging.topics import apply_topics
from tests.client.kafka import kafka_of, write_as
from tests.client.replicas import EVENTS, LOUD, account, announced, granted, installed
from tests.client.world import Brand
from tests.running_stack import RunningKafka
from tests.waiting import eventually

HOST = "api.example.com"
URL = f"https://{HOST}/v1"
LONG = timedelta(seconds=60)


@pytest.fixture(scope="module")
def own_stack() -> Iterator[Stack]:
    """Kafka that may be killed: nobody else uses it."""
    with tempfile.TemporaryDirectory(prefix="keyturn-replica-") as folder:
        stack = Stack(Path(folder), say=lambda _: None)
        try:
            yield stack
        finally:
            stack.stop()


@pytest.fixture
def kafka(own_stack: Stack) -> Iterator[RunningKafka]:
    yield RunningKafka(own_stack.plan)
    if own_stack.child("kafka").exit_code is not None:
        start_again(own_stack)


@pytest.fixture
def settings(kafka: RunningKafka, tmp_path: Path) -> ReplicaSettings:
    return ReplicaSettings(
        kafka=kafka_of(kafka, "engine", tmp_path),
        brand=f"b{uuid4().hex[:12]}",
        max_age=timedelta(seconds=1),
    )


async def announce(kafka: RunningKafka, *records: Record) -> None:
    await write_as(kafka, "installation", records)


def start_again(own_stack: Stack) -> None:
    # In this thread, whatever waits meanwhile: the broker would end with any other.
    own_stack.start_again("kafka")


async def until_it_says(replica: Replica, code: JudgementCode) -> None:
    await eventually(lambda: replica.may_connect(LOUD, URL).code == code, within=60)


async def test_a_broker_that_is_away_blocks_everything_and_afterwards_news_is_heard(
    own_stack: Stack, kafka: RunningKafka, settings: ReplicaSettings
) -> None:
    await announce(kafka, announced(installed(LOUD, HOST), settings.brand, sequence=1))
    async with Replica(settings) as replica:
        assert replica.may_connect(LOUD, URL).allowed

        own_stack.child("kafka").kill()
        await until_it_says(replica, "copy_too_old")
        found = replica.may_connect(LOUD, URL)
        assert not found.allowed
        assert "s old and may be 1 s old" in found.message
        assert not replica.may_read(LOUD, "contacts").allowed
        age = replica.age
        assert age is not None
        assert age > settings.max_age

        start_again(own_stack)
        await until_it_says(replica, "allowed")

        await announce(
            kafka, announced(installed(LOUD, kind=DomainsChanged), settings.brand, sequence=2)
        )
        await until_it_says(replica, "nothing_listed")


async def test_a_password_that_is_away_with_the_broker_is_looked_for_again(
    own_stack: Stack,
    kafka: RunningKafka,
    settings: ReplicaSettings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # A broker that does not come back is given up sooner than an operator's patience ends.
    monkeypatch.setattr("keyturn_client.wire._ANSWER_SECONDS", 1.0)
    password = settings.kafka.password_file
    await announce(kafka, announced(installed(LOUD, HOST), settings.brand))
    async with Replica(settings) as replica:
        assert replica.may_connect(LOUD, URL).allowed

        own_stack.child("kafka").kill()
        password.rename(password.with_suffix(".away"))
        await eventually(lambda: f"No such file or directory: '{password}'" in caplog.text)
        start_again(own_stack)
        assert replica.may_connect(LOUD, URL).code == "copy_too_old"

        password.with_suffix(".away").rename(password)
        await until_it_says(replica, "allowed")


async def test_a_copy_that_is_too_old_decides_nothing_and_the_service_is_asked_where_it_may_be(
    own_stack: Stack, kafka: RunningKafka, settings: ReplicaSettings, brand: Brand
) -> None:
    # The service knows another story than the copy, so it shows who has answered.
    await brand.add_account("mail", "first")
    closed = settings.model_copy(update={"brand": brand.name})
    asks = closed.model_copy(update={"ask_as": brand.world.backend_settings(brand.name)})
    await announce(kafka, announced(installed("smtp-relay", party="first"), brand.name))
    await write_as(
        kafka, "credential-vault", [announced(account("mail", "smtp-relay"), brand.name)]
    )
    await write_as(kafka, "access", [announced(granted("bob"), brand.name)])
    short = timedelta(milliseconds=50)
    async with Replica(closed) as one, Replica(asks) as other:

        def both_say(code: Code) -> bool:
            return all(copy.decide("bob", "use", "mail").code == code for copy in (one, other))

        await eventually(lambda: both_say("allowed"))
        assert (await other.ask("bob", "use", "mail")).allowed, "asked the copy"

        own_stack.child("kafka").kill()
        await eventually(lambda: both_say("copy_too_old"))
        assert (await one.ask("bob", "use", "mail", within=short)).code == "copy_too_old"
        assert (await one.ask_extension("bob", "smtp-relay", within=short)).code == "copy_too_old"
        assert (await other.ask("bob", "use", "mail", within=LONG)).code == "no_access"

        brand.world.stop("access")
        try:
            found = await other.ask("bob", "use", "mail", within=LONG)
            assert found.code == "copy_too_old", "neither knows"
        finally:
            brand.world.start("access")
            brand.world.wait_ready("access")

        waiting = asyncio.create_task(one.ask("bob", "use", "mail", within=LONG))
        start_again(own_stack)
        assert (await waiting).allowed, "as soon as events are read again"


async def test_of_a_topic_that_was_made_anew_nothing_old_is_believed(
    kafka: RunningKafka, settings: ReplicaSettings, caplog: pytest.LogCaptureFixture
) -> None:
    await announce(kafka, announced(installed(LOUD, HOST), settings.brand, sequence=2))
    async with Replica(settings) as replica:
        assert replica.may_connect(LOUD, URL).allowed

        await make_anew(kafka)

        await until_it_says(replica, "not_installed")
        assert "The copy begins anew" in caplog.text
        await announce(kafka, announced(installed(LOUD, HOST), settings.brand, sequence=1))
        await until_it_says(replica, "allowed")


async def test_a_topic_that_was_made_anew_and_has_grown_beyond_the_old_one_is_noticed(
    kafka: RunningKafka, settings: ReplicaSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """Its end is behind what was read, so nothing but its id says that it is another topic."""
    brand = settings.brand
    patient = settings.model_copy(update={"max_age": timedelta(minutes=10)})
    await announce(kafka, announced(installed(LOUD, HOST), brand, sequence=7))
    async with Replica(patient) as replica:
        assert replica.may_connect(LOUD, URL).allowed

        unseen(make_anew_and_longer(kafka))

        await until_it_says(replica, "not_installed")
        assert "The copy begins anew" in caplog.text
        # An announcement of the new topic counts, although the old one had a newer.
        await announce(kafka, announced(installed(LOUD, HOST), brand, sequence=1))
        await until_it_says(replica, "allowed")


async def test_nothing_of_another_topic_is_heard_before_the_old_one_is_forgotten(
    kafka: RunningKafka, settings: ReplicaSettings
) -> None:
    told: list[str] = []
    follower = Follower(
        settings.kafka,
        (EVENTS,),
        hear=lambda records: told.extend(one.name for one in records),
        forget=lambda: told.append("forgotten"),
    )
    await announce(kafka, announced(installed(LOUD, HOST), settings.brand))
    await follower.load()
    old = len(told)
    background = Background()
    await background.begin(follower.follow())
    try:
        unseen(make_anew_and_longer(kafka))
        await eventually(lambda: len(told) > old + 1, within=60)
    finally:
        await background.end(None)

    assert told[old] == "forgotten"
    assert "forgotten" not in told[old + 1 :]


def unseen(work: Coroutine[Any, Any, None]) -> None:
    """Do this while nothing in this thread goes on: a copy sees what there was and what there is.

    Otherwise it may see a topic that is shorter than what it read, on its way to being longer.
    """
    with ThreadPoolExecutor(1) as aside:
        aside.submit(asyncio.run, work).result()


async def make_anew_and_longer(kafka: RunningKafka) -> None:
    """Make the topic of the events anew, with more in each partition, and all of a stranger's."""
    before = await ends(kafka)
    await make_anew(kafka)
    await write_to_each(kafka, {place: end + 5 for place, end in before.items()})
    assert all(end > before[place] for place, end in (await ends(kafka)).items())


async def ends(kafka: RunningKafka) -> dict[int, int]:
    """Return where each partition of the topic of the events ends."""
    consumer: Any = AIOKafkaConsumer(**client_options(kafka.settings_of("admin")))
    await consumer.start()
    try:
        places = [TopicPartition(EVENTS, one) for one in range(PARTITIONS)]
        return {place.partition: end for place, end in (await consumer.end_offsets(places)).items()}
    finally:
        await consumer.stop()


async def write_to_each(kafka: RunningKafka, counts: Mapping[int, int]) -> None:
    """Write so many records of a stranger into each partition."""
    record = announced(installed(LOUD), "stranger")
    producer: Any = AIOKafkaProducer(**client_options(kafka.settings_of("installation")))
    await producer.start()
    try:
        for partition, count in counts.items():
            for _ in range(count):
                await producer.send(
                    EVENTS,
                    record.value,
                    key=record.key,
                    headers=list(record.headers),
                    partition=partition,
                )
        await producer.flush()
    finally:
        await producer.stop()


async def make_anew(kafka: RunningKafka) -> None:
    """Delete the topic of the events, and make it again."""
    settings = kafka.settings_of("admin")
    admin: Any = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        await admin.delete_topics([EVENTS])
    finally:
        await admin.close()
    await asyncio.to_thread(apply_topics, settings, TOPICS)
