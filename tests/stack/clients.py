"""How the tests of the stack log in."""

from concurrent.futures import Future
from functools import partial
from typing import Any, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from deploy.local.sql import Server
from shared.settings import DatabaseRole, DatabaseSettings, KafkaSettings
from tests.waiting import until


def as_role(database: DatabaseSettings, role: DatabaseRole) -> Server:
    login = database.login(role)
    return Server(
        host=database.host,
        port=database.port,
        user=login.name,
        password=login.password.get_secret_value(),
        database=database.name,
    )


def client_of(kafka: KafkaSettings) -> dict[str, str | int | float | bool]:
    return {
        "bootstrap.servers": kafka.bootstrap,
        "security.protocol": kafka.security_protocol,
        "sasl.mechanism": kafka.mechanism,
        "sasl.username": kafka.principal,
        "sasl.password": kafka.password.get_secret_value(),
        # Else it goes on about a broker that has gone, on stderr, until it is collected.
        "log_level": 0,
    }


def first_and_next(kafka: KafkaSettings, topic: str, *, group: str) -> tuple[int, int]:
    """Return the offsets of the first partition: the oldest there is, and the next to come."""
    consumer = Consumer({**client_of(kafka), "group.id": group})
    try:
        return until(partial(_offsets, consumer, topic))
    finally:
        consumer.close()


def _offsets(consumer: Consumer, topic: str) -> tuple[int, int] | None:
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=20)
    except KafkaException as error:
        # Right after a start a broker may not lead its partitions yet; a client asks again.
        if error.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION:
            raise
        return None


def delete_topic(admin: KafkaSettings, name: str) -> None:
    client = cast("Any", AdminClient(client_of(admin)))
    deleted: dict[str, Future[None]] = client.delete_topics([name])
    deleted[name].result(20)
