"""The embedded stack serves, and lets nobody in who is not declared."""

import asyncpg
import pytest
import redis
from confluent_kafka import Consumer, KafkaError, Producer
from keyturn_contracts.topics import TOPICS, commands_topic, events_topic

from shared.messaging.topics import apply_topics
from shared.settings import DatabaseRole, DatabaseSettings, KafkaSettings
from tests.running_stack import RunningStack


async def test_each_role_of_a_new_database_logs_in_and_only_the_owner_makes_tables(
    stack: RunningStack,
) -> None:
    database = stack.new_database("workflow")
    roles: tuple[DatabaseRole, ...] = ("owner", "writer", "reader")
    for role in roles:
        connection = await connect(database, role)
        try:
            assert await connection.fetchval("SHOW fsync") == "on"
            if role == "owner":
                await connection.execute("CREATE TABLE it_is_mine (id int)")
            else:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(f"CREATE TABLE of_{role} (id int)")
        finally:
            await connection.close()


async def test_a_service_cannot_connect_to_the_database_of_another(stack: RunningStack) -> None:
    own = stack.settings_of("catalog").database
    others = stack.settings_of("workflow").database
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connect(own.model_copy(update={"name": others.name}), "owner")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connect(own.model_copy(update={"name": "postgres"}), "owner")


def test_a_service_sees_its_own_redis_keys_alone(stack: RunningStack) -> None:
    settings = stack.settings_of("catalog").redis
    with redis.Redis(
        unix_socket_path=str(settings.socket),
        username=settings.user,
        password=settings.password.get_secret_value(),
    ) as client:
        assert client.set("catalog:seen", "yes")
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.get("workflow:seen")
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.config_get("*")


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


async def connect(
    database: DatabaseSettings, role: DatabaseRole
) -> "asyncpg.Connection[asyncpg.Record]":
    login = database.login(role)
    return await asyncpg.connect(
        host=database.host,
        port=database.port,
        user=login.name,
        password=login.password.get_secret_value(),
        database=database.name,
    )


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
    assigned: list[bool] = []
    try:
        consumer.subscribe([topic], on_assign=lambda *_: assigned.append(True))
        while not assigned:
            message = consumer.poll(20)
            error = message.error() if message else None
            if error and error.code() != KafkaError._PARTITION_EOF:
                return error.code()
    finally:
        consumer.close()
    return None


def client_of(kafka: KafkaSettings) -> dict[str, str | int | float | bool]:
    return {
        "bootstrap.servers": kafka.bootstrap,
        "security.protocol": kafka.security_protocol,
        "sasl.mechanism": kafka.mechanism,
        "sasl.username": kafka.principal,
        "sasl.password": kafka.password.get_secret_value(),
    }
