"""The embedded stack serves, and lets nobody in who is not declared."""

from typing import Any, cast

import asyncpg
import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from keyturn_contracts.topics import TOPICS, commands_topic, events_topic
from redis import Redis
from redis.exceptions import NoPermissionError

from deploy.local.problems import StackProblem
from deploy.local.sql import connected
from shared.messaging.topics import apply_topics
from shared.settings import DatabaseRole, KafkaSettings
from tests.running_stack import RunningStack
from tests.stack.clients import as_role, client_of


async def test_each_role_of_a_new_database_logs_in_and_only_the_owner_makes_tables(
    stack: RunningStack,
) -> None:
    database = stack.new_database("workflow")
    async with connected(as_role(database, "owner")) as connection:
        assert await connection.fetchval("SHOW fsync") == "on"
        await connection.execute("CREATE TABLE it_is_mine (id int)")
    others: tuple[DatabaseRole, ...] = ("writer", "reader")
    for role in others:
        async with connected(as_role(database, role)) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"CREATE TABLE of_{role} (id int)")


@pytest.mark.parametrize("elsewhere", ["workflow", "postgres", "template1"])
async def test_a_service_cannot_connect_to_the_database_of_another(
    stack: RunningStack, elsewhere: str
) -> None:
    if stack.plan.external.postgres is not None and elsewhere != "workflow":
        pytest.skip("who may enter the other databases of somebody else's server is theirs to say")
    own = stack.settings_of("catalog").database
    elsewhere_as_owner = as_role(own.model_copy(update={"name": elsewhere}), "owner")
    with pytest.raises(StackProblem, match="permission denied for database"):
        async with connected(elsewhere_as_owner):
            pass


def test_a_service_sees_its_own_redis_keys_alone(stack: RunningStack) -> None:
    if stack.plan.external.redis is not None:
        pytest.skip("somebody else's Redis has users of its own")
    settings = stack.settings_of("catalog").redis
    with Redis(
        unix_socket_path=str(settings.socket),
        username=settings.user,
        password=settings.password.get_secret_value(),
    ) as client:
        assert client.set("catalog:seen", "yes")
        with pytest.raises(NoPermissionError):
            client.get("workflow:seen")
        with pytest.raises(NoPermissionError):
            cast("Any", client).flushall()


def test_an_engine_cannot_write_what_the_vault_announces(stack: RunningStack) -> None:
    engine = stack.kafka.settings_of("engine")
    vault = stack.kafka.settings_of("credential-vault")
    assert write(engine, events_topic("credential-vault")) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert write(vault, events_topic("credential-vault")) is None
    assert write(engine, commands_topic("workflow")) is None


def test_a_group_of_another_principal_cannot_be_joined(stack: RunningStack) -> None:
    engine = stack.kafka.settings_of("engine")
    topic = events_topic("workflow")
    assert read_as(engine, topic, "keyturn.backend") == KafkaError.GROUP_AUTHORIZATION_FAILED
    assert read_as(engine, topic, "keyturn.engine.mine") is None


def test_declaring_the_same_again_changes_nothing(stack: RunningStack) -> None:
    changes = apply_topics(stack.kafka.settings_of("admin"), TOPICS)
    assert changes.created == ()
    assert changes.configured == ()
    assert (changes.granted, changes.withdrawn) == (0, 0)


def write(kafka: KafkaSettings, topic: str) -> int | None:
    """Write one record; return the code of the error, if there was one."""
    producer = Producer(client_of(kafka))
    errors: list[int | None] = []
    producer.produce(
        topic,
        key=b"acme/things/1",
        value=b"{}",
        on_delivery=lambda error, _: errors.append(error.code() if error else None),
    )
    producer.flush(20)
    return errors[0]


def read_as(kafka: KafkaSettings, topic: str, group: str) -> int | None:
    """Join a group and read; return the code of the first error, if there was one."""
    consumer = Consumer({**client_of(kafka), "group.id": group, "enable.partition.eof": True})
    assigned: list[TopicPartition] = []

    def remember(_: Consumer, partitions: list[TopicPartition]) -> None:
        assigned.extend(partitions)

    try:
        consumer.subscribe([topic], on_assign=remember)
        while not assigned:
            message = consumer.poll(20)
            error = message.error() if message else None
            if error and error.code() != KafkaError._PARTITION_EOF:
                return error.code()
    finally:
        consumer.close()
    return None
