"""How the tests of the stack log in."""

from concurrent.futures import Future
from typing import Any, cast

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from deploy.local.sql import Server
from shared.settings import DatabaseRole, DatabaseSettings, KafkaSettings


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
    }


def partition(topic: str) -> TopicPartition:
    return TopicPartition(topic, 0)


def delete_topic(admin: KafkaSettings, name: str) -> None:
    client = cast("Any", AdminClient(client_of(admin)))
    deleted: dict[str, Future[None]] = client.delete_topics([name])
    deleted[name].result(20)
