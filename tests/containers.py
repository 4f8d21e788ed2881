"""Kafka, PostgreSQL and Redis in containers: pinned images, and the same locks as elsewhere."""

import secrets
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from docker.errors import DockerException
from pydantic import SecretStr
from redis import Redis
from redis.exceptions import RedisError
from testcontainers.core.container import DockerContainer

from deploy.local import kafka_probe
from deploy.local.external import External
from deploy.local.kafka import ADMIN, server_settings
from deploy.local.ports import Ports
from deploy.local.problems import StackProblem
from deploy.local.sql import Server, connected, run_apart
from deploy.local.state import State
from shared.settings import KafkaSettings, RedisSettings
from tests.waiting import until

KAFKA = "apache/kafka:4.3.1"
POSTGRES = "postgres:18.4"
REDIS = "redis:6.2.14"

_CLUSTER_ID = "keyturnTestClusterAAAA"


@contextmanager
def running_containers() -> Generator[External]:
    """Run the three; raise StackProblem when no container engine answers."""
    try:
        with ExitStack() as running:
            yield External(
                kafka=_kafka(running), postgres=_postgres(running), redis=_redis(running)
            )
    except DockerException as error:
        raise StackProblem(
            "--stack=containers needs a container engine, and none answers here: start Docker or "
            "Podman (DOCKER_HOST names another socket), or leave the option out to use the "
            "embedded stack."
        ) from error


def _kafka(running: ExitStack) -> KafkaSettings:
    # A broker tells its clients its address, so the port outside has to be known before.
    with Ports(State()) as ports:
        # Not held any longer: the engine binds alone.
        port = ports.keep("kafka")
    password = secrets.token_urlsafe(24)
    container = DockerContainer(KAFKA).with_bind_ports(9092, port)
    host = container.get_container_host_ip()
    settings = server_settings(
        password=password,
        port=9092,
        controller_port=9093,
        advertised=f"{host}:{port}",
        folder="/tmp/kafka",
        listen="0.0.0.0",  # noqa: S104  inside the container
    )
    container.with_env("CLUSTER_ID", _CLUSTER_ID)
    for name, value in _as_environment(settings).items():
        container.with_env(name, value)
    running.enter_context(container)
    until(lambda: kafka_probe.serves(host, port, user=ADMIN, password=password), within=90)
    return KafkaSettings(
        bootstrap=f"{host}:{port}",
        mechanism="PLAIN",
        principal=ADMIN,
        password=SecretStr(password),
    )


def _as_environment(settings: str) -> dict[str, str]:
    """Name each setting as the image wants it: dots, underscores and dashes are 1 to 3 of `_`."""
    pairs = (line.split("=", 1) for line in settings.splitlines() if line and line[0] != "#")
    return {
        "KAFKA_" + name.replace("_", "__").replace("-", "___").replace(".", "_").upper(): value
        for name, value in pairs
    }


def _postgres(running: ExitStack) -> Server:
    password = secrets.token_urlsafe(24)
    container = DockerContainer(POSTGRES).with_exposed_ports(5432)
    container.with_env("POSTGRES_PASSWORD", password)
    container.with_command("postgres -c max_connections=200 -c transaction_timeout=30s")
    running.enter_context(container)
    server = Server(
        host=container.get_container_host_ip(),
        port=int(container.get_exposed_port(5432)),
        user="postgres",
        password=password,
    )
    until(lambda: run_apart(_lets_us_in(server)), within=90)
    return server


async def _lets_us_in(server: Server) -> bool:
    try:
        async with connected(server):
            return True
    except StackProblem:
        return False


def _redis(running: ExitStack) -> RedisSettings:
    password = secrets.token_urlsafe(24)
    container = DockerContainer(REDIS).with_exposed_ports(6379)
    container.with_command(f"redis-server --requirepass {password}")
    running.enter_context(container)
    settings = RedisSettings(
        host=container.get_container_host_ip(),
        port=int(container.get_exposed_port(6379)),
        user="default",
        password=SecretStr(password),
    )
    until(lambda: _answers(settings), within=90)
    return settings


def _answers(settings: RedisSettings) -> bool:
    try:
        with Redis(
            host=settings.host,
            port=settings.port,
            password=settings.password.get_secret_value(),
        ) as client:
            return client.get("anything") is None
    except RedisError:
        return False
