"""A stack of the measurement's own, and processes of the access service on it."""

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
        words = (sys.executable, "-P", "-m", "deploy", "serve", NAME, "--settings")
        self._child = Child(
            Command(
                words=(*words, str(self.settings)),
                log=self.log,
                environment=environment(ROOT),
                stop_within=20.0,
            )
        )

    def wait_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not answers_ready(self.port):
            if self._child is None or self._child.exit_code is not None:
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
        return resident_bytes(self._child.pid) if self._child is not None else 0


@dataclass
class Place:
    """Where everything is."""

    data: DataFolder
    plan: Plan
    first: Service
    """It has Redis."""
    second: Service
    """It has the same Redis, and finds there what the first one has decided."""
    alone: Service
    """It has none: what it is told of one leads nowhere."""

    @property
    def services(self) -> tuple[Service, ...]:
        return self.first, self.second, self.alone

    def start(self) -> None:
        """Start all processes of the service, and wait until they serve."""
        for one in self.services:
            one.start()
        for one in self.services:
            one.wait_ready()

    def stop(self) -> None:
        for one in self.services:
            one.stop()

    def kafka_of(self, principal: str) -> Kafka:
        known = self.plan.kafka_of(principal)
        return Kafka(
            bootstrap=known.bootstrap,
            principal=principal,
            password_file=self.plan.passwords.file_of(kafka_part.NAME, principal),
        )

    def backend_settings(self) -> BackendSettings:
        """Return how an administrator of the brand asks; the services beside access do not run."""
        url = f"http://{LOOPBACK}:{self.first.port}"
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
        """Start all of them again, with a Redis that holds nothing."""
        self.stop()
        self._empty_redis()
        self.start()

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
    """Start the parts and the processes of the service; all of it ends with the block."""
    data = make_folder(folder)
    # Never somebody else's parts: Redis is emptied, and events are published for other services.
    stack = Stack(data.root, say=say, external=External())
    place: Place | None = None
    try:
        settings = stack.settings_of(NAME)
        asyncio.run(upgrade(settings.database, NAME))
        second = _elsewhere(settings, settings.http.port)
        alone = _elsewhere(settings, second.http.port)
        nowhere = settings.redis.model_copy(update={"socket": data.redis / "nobody.sock"})
        place = Place(
            data=data,
            plan=stack.plan,
            first=_service(data, settings, "access"),
            second=_service(data, second, "access-second"),
            alone=_service(data, alone.model_copy(update={"redis": nowhere}), "access-alone"),
        )
        place.start()
        yield place
    finally:
        if place is not None:
            place.stop()
        stack.stop()


def cpu_seconds(pid: int) -> float:
    """Return how long a process has had a core; it is counted in hundredths of a second."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def resident_bytes(pid: int) -> int:
    return psutil.Process(pid).memory_info().rss


def free_port(above: int) -> int:
    """Return a port that nobody listens on."""
    return next(port for port in range(above + 1, above + 2000) if is_free(port))


def _service(data: DataFolder, settings: ServiceSettings, name: str) -> Service:
    file = data.services / f"{name}.json"
    write_settings(file, settings)
    return Service(name=name, settings=file, port=settings.http.port, log=data.log_of(name))


def _elsewhere(settings: ServiceSettings, port: int) -> ServiceSettings:
    http = settings.http.model_copy(update={"port": free_port(port)})
    return settings.model_copy(update={"http": http})
