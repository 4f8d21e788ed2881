"""A stack of the measurement's own, and the access service on it: with Redis, and without."""

import asyncio
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
from keyturn_client import BackendSettings, Kafka, ReplicaSettings, Services
from keyturn_contracts.topics import BACKEND, ENGINE, LOCAL_ISSUER
from redis import Redis

from deploy.bench.access.data import BRAND, OWNER
from deploy.demo.place import make_folder
from deploy.local import kafka as kafka_part
from deploy.local import redis as redis_part
from deploy.local.children import Child, Command, last_line
from deploy.local.external import External
from deploy.local.folder import DataFolder
from deploy.local.forks import environment
from deploy.local.issuer import KEY_FILE
from deploy.local.plan import Plan
from deploy.local.ports import LOOPBACK, is_free
from deploy.local.problems import StackProblem, TimedOut
from deploy.local.stack import Stack
from deploy.local.supervisor import ROOT, answers_ready
from shared.cli.output import say
from shared.database.migrate import upgrade
from shared.settings import ServiceSettings, write_settings

NAME = "access"
_READY_SECONDS = 60.0
_PAUSE = 0.02


@dataclass
class Service:
    """One process of the access service."""

    name: str
    settings: Path
    port: int
    log: Path
    _child: Child | None = None

    def start(self) -> None:
        """Start it, and wait until it serves."""
        words = (sys.executable, "-P", "-m", "deploy", "serve", NAME, "--settings")
        self._child = Child(
            Command(
                words=(*words, str(self.settings)),
                log=self.log,
                environment=environment(ROOT),
                stop_within=20.0,
            )
        )
        deadline = time.monotonic() + _READY_SECONDS
        while not answers_ready(self.port):
            if self._child.exit_code is not None:
                raise StackProblem(f"The service ended: {last_line(self.log)}")
            if time.monotonic() > deadline:
                raise TimedOut(f"The service was not ready in time: {self.log} may say why.")
            time.sleep(_PAUSE)

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None

    def cpu_seconds(self) -> float:
        """Return how long it has had a core since it was started."""
        return cpu_seconds(self._child.pid) if self._child is not None else 0.0

    def resident_bytes(self) -> int:
        return psutil.Process(self._child.pid).memory_info().rss if self._child is not None else 0


@dataclass
class Place:
    """Where everything is."""

    data: DataFolder
    plan: Plan
    cached: Service
    """It has Redis."""
    plain: Service
    """It has none: what it is told of one leads nowhere."""

    def kafka_of(self, principal: str) -> Kafka:
        known = self.plan.kafka_of(principal)
        return Kafka(
            bootstrap=known.bootstrap,
            principal=principal,
            password_file=self.plan.passwords.file_of(kafka_part.NAME, principal),
        )

    def backend_settings(self) -> BackendSettings:
        """Return how an administrator of the brand asks; the services beside access do not run."""
        url = f"http://{LOOPBACK}:{self.plain.port}"
        return BackendSettings(
            kafka=self.kafka_of(BACKEND),
            services=Services(credential_vault=url, workflow=url, access=url),
            brand=BRAND,
            issuer=LOCAL_ISSUER,
            key_file=self.data.keys / KEY_FILE,
            subject=OWNER,
        )

    def replica_settings(self) -> ReplicaSettings:
        # What is measured in this process may keep its loop from hearing news for a while.
        return ReplicaSettings(kafka=self.kafka_of(ENGINE), brand=BRAND, max_age=timedelta(hours=1))

    def begin_cold(self) -> None:
        """Start both processes again, with a Redis that holds nothing."""
        for one in (self.cached, self.plain):
            one.stop()
        self._empty_redis()
        for one in (self.cached, self.plain):
            one.start()

    def _empty_redis(self) -> None:
        redis: Any = Redis(
            unix_socket_path=str(self.plan.redis_socket),
            username=redis_part.ADMIN,
            password=self.plan.passwords.of(redis_part.NAME, redis_part.ADMIN),
        )
        redis.flushall()
        redis.close()


@contextmanager
def running_place(folder: Path) -> Generator[Place]:
    """Start the parts and both processes of the service; all of it ends with the block."""
    data = make_folder(folder)
    # Never somebody else's parts: Redis is emptied, and events are published for other services.
    stack = Stack(data.root, say=say, external=External())
    place: Place | None = None
    try:
        settings = stack.settings_of(NAME)
        asyncio.run(upgrade(settings.database, NAME))
        place = Place(
            data=data,
            plan=stack.plan,
            cached=_service(data, settings, "access"),
            plain=_service(data, _without_redis(data, settings), "access-without-redis"),
        )
        place.cached.start()
        place.plain.start()
        yield place
    finally:
        if place is not None:
            place.cached.stop()
            place.plain.stop()
        stack.stop()


def cpu_seconds(pid: int) -> float:
    """Return how long a process has had a core."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def free_port(above: int) -> int:
    """Return a port that nobody listens on."""
    return next(port for port in range(above + 1, above + 2000) if is_free(port))


def _service(data: DataFolder, settings: ServiceSettings, name: str) -> Service:
    file = data.services / f"{name}.json"
    write_settings(file, settings)
    return Service(name=name, settings=file, port=settings.http.port, log=data.log_of(name))


def _without_redis(data: DataFolder, settings: ServiceSettings) -> ServiceSettings:
    nowhere = settings.redis.model_copy(update={"socket": data.redis / "nobody.sock"})
    http = settings.http.model_copy(update={"port": free_port(settings.http.port)})
    return settings.model_copy(update={"redis": nowhere, "http": http})
