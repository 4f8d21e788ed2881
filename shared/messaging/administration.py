"""The one connection to Kafka that may declare topics, access lists and users."""

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from shared.settings import KafkaSettings

T = TypeVar("T")
ANSWER_SECONDS = 15.0
_PAUSE = 0.005


class KafkaRefused(Exception):
    """Kafka did not do what a declaration asks for; the text says what to do."""


def connect(kafka: KafkaSettings) -> AdminClient:
    """Keep the returned client for as long as answers are awaited: they come through it."""
    configuration: dict[str, str | int | float | bool] = {
        "bootstrap.servers": kafka.bootstrap,
        "security.protocol": kafka.security_protocol,
        "sasl.mechanism": kafka.mechanism,
        "sasl.username": kafka.principal,
        "sasl.password": kafka.password.get_secret_value(),
        "client.id": "keyturn-admin",
    }
    if kafka.ca_file is not None:
        configuration["ssl.ca.location"] = str(kafka.ca_file)
    return AdminClient(configuration, logger=logging.getLogger("keyturn.kafka"))


def answer(future: "Future[T]") -> T:
    try:
        return future.result(ANSWER_SECONDS)
    except KafkaException as error:
        raise KafkaRefused(f"Kafka refused: {error.args[0].str()}") from error
    except TimeoutError as error:
        raise KafkaRefused("Kafka did not answer in time: is it running and reachable?") from error


def answers(futures: Mapping[Any, "Future[T]"]) -> list[T]:
    return [answer(future) for future in futures.values()]


def until(is_so: Callable[[], bool], otherwise: str) -> None:
    """Wait until the broker applied what the controller has acknowledged."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise KafkaRefused(otherwise)
        time.sleep(_PAUSE)
