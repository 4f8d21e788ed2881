"""Makes the JVM's cache for Kafka in a training run: once for a machine, in the background.

`python -m deploy.local.training`; it says nothing and takes what time is left.
"""

import fcntl
import os
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from confluent_kafka import Consumer, Producer
from pydantic import SecretStr

from deploy.local import aot
from deploy.local.children import Child
from deploy.local.folder import DataFolder, open_data_folder
from deploy.local.jars import cache_folder, ensure_jars
from deploy.local.kafka import ADMIN, NAME, Kafka
from deploy.local.parts import wait_ready
from deploy.local.passwords import Passwords
from deploy.local.ports import Ports
from deploy.local.state import State
from shared.messaging.administration import Administrator, done
from shared.settings import KafkaSettings

_NICE = 15
_READY_SECONDS = 120.0
_WRITING_SECONDS = 180.0
"""The JVM writes the cache while it stops; killed before, it leaves none."""
_TOPIC = "training"
_RECORDS = 200


def train(cache: Path) -> None:
    """Make the cache, unless it is there or somebody makes it already."""
    with (cache / "training.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if not aot.cache_file(cache).exists():
            with tempfile.TemporaryDirectory(dir=cache, prefix=".training-") as work:
                _train_in(Path(work), cache)


def _train_in(work: Path, cache: Path) -> None:
    with Ports(State()) as ports:
        _train_on(ports, open_data_folder(work), work, cache)


def _train_on(ports: Ports, data: DataFolder, work: Path, cache: Path) -> None:
    passwords = Passwords(data.passwords)
    kafka = Kafka(
        data=data,
        passwords=passwords,
        port=ports.keep("kafka"),
        controller_port=ports.keep("kafka controller"),
        jars=ensure_jars(_say_nothing),
        cache=cache,
    )
    kafka.prepare()
    written = work / "kafka.aot"
    command = kafka.start_command((f"-XX:AOTCacheOutput={written}",))
    child = Child(replace(command, stop_within=_WRITING_SECONDS))
    try:
        wait_ready(kafka, child, within=_READY_SECONDS)
        _work_a_little(
            KafkaSettings(
                bootstrap=kafka.bootstrap,
                mechanism="PLAIN",
                principal=ADMIN,
                password=SecretStr(passwords.of(NAME, ADMIN)),
            )
        )
    finally:
        child.stop()
    if written.exists():
        written.replace(aot.cache_file(cache))


def _work_a_little(kafka: KafkaSettings) -> None:
    """Have the broker load what it needs for topics, access lists, records and groups."""
    admin = Administrator(kafka)
    done([admin.create_topic(_TOPIC, partitions=2, replication=1, settings={})])
    admin.access([ADMIN])
    admin.set_passwords({"training": "training"})
    client: dict[str, str | int | float | bool] = {
        "bootstrap.servers": kafka.bootstrap,
        "security.protocol": kafka.security_protocol,
        "sasl.mechanism": kafka.mechanism,
        "sasl.username": kafka.principal,
        "sasl.password": kafka.password.get_secret_value(),
    }
    producer = Producer({**client, "enable.idempotence": True})
    for number in range(_RECORDS):
        producer.produce(_TOPIC, key=str(number), value=b"{}")
    producer.flush(30)
    consumer = Consumer({**client, "group.id": "training", "auto.offset.reset": "earliest"})
    consumer.subscribe([_TOPIC])
    read, deadline = 0, time.monotonic() + 30
    while read < _RECORDS and time.monotonic() < deadline:
        read += len(consumer.consume(_RECORDS, 1))
    consumer.commit()
    consumer.close()


def _say_nothing(_sentence: str) -> None:
    return


def _end(_number: int, _frame: object) -> None:
    sys.exit(0)


if __name__ == "__main__":
    # So that what was begun is removed when we are told to stop.
    signal.signal(signal.SIGTERM, _end)
    os.nice(_NICE)
    train(cache_folder())
