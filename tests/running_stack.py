"""The stack that tests run on, wherever it comes from: addresses, containers or embedded."""

import sys
import tempfile
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.external import External
from deploy.local.plan import Plan
from deploy.local.roles import create_database, database_of, drop_database
from deploy.local.stack import Stack
from shared.settings import DatabaseSettings, KafkaSettings, ServiceSettings


@dataclass(frozen=True, slots=True)
class RunningKafka:
    plan: Plan

    @property
    def bootstrap(self) -> str:
        return self.plan.kafka_admin.bootstrap

    def settings_of(self, principal: str) -> KafkaSettings:
        """How this principal logs in: `admin`, a service, `backend` or `engine`."""
        return self.plan.kafka_of(principal)

    def password_of(self, principal: str) -> str:
        return self.settings_of(principal).password.get_secret_value()


@dataclass(frozen=True, slots=True)
class RunningStack:
    """Kafka with its topics and access lists, PostgreSQL and Redis; all tests share them."""

    plan: Plan
    kafka: RunningKafka
    _made: list[str] = field(default_factory=list[str])

    def settings_of(self, service: str) -> ServiceSettings:
        return self.plan.settings_of(service)

    def new_database(self, service: str, *, template: str | None = None) -> DatabaseSettings:
        """Create an empty database with the service's three roles, or a copy of `template`.

        Nobody may be connected to the template meanwhile.
        """
        name = f"test_{database_of(service)}_{uuid.uuid4().hex[:12]}"
        create_database(self.plan.postgres, name, service=service, template=template)
        self._made.append(name)
        return self.plan.database(name, service=service)

    def drop_database(self, database: DatabaseSettings) -> None:
        """Drop it now; whatever is left goes with the stack."""
        drop_database(self.plan.postgres, database.name)
        self._made.remove(database.name)

    def drop_databases(self) -> None:
        for name in self._made:
            drop_database(self.plan.postgres, name)
        self._made.clear()


@contextmanager
def running_stack(external: External) -> Generator[RunningStack]:
    """Run what is not external in a folder that is gone afterwards."""
    # Not pytest's own folder: its path is long, and sockets need a short one.
    with tempfile.TemporaryDirectory(prefix="keyturn-test-") as root:
        stack = Stack(Path(root), say=_say, external=external)
        try:
            running = RunningStack(stack.plan, RunningKafka(stack.plan))
            yield running
            if external.postgres is not None:
                running.drop_databases()
        finally:
            stack.stop()


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
