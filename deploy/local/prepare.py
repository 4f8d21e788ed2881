"""Makes the running parts fit for the services: databases and roles, Kafka's users and topics."""

import asyncio
import os
import sys
import time
from pathlib import Path

from keyturn_contracts.topics import PRINCIPALS, TOPICS

from deploy.local.external import read_external
from deploy.local.folder import open_data_folder
from deploy.local.kafka import NAME as KAFKA
from deploy.local.parts import Part
from deploy.local.plan import Plan, known_plan
from deploy.local.postgres import NAME as POSTGRES
from deploy.local.problems import StackProblem
from deploy.local.roles import ensure_databases
from deploy.local.services import SERVICES, startable_services
from shared.database.migrate import upgrade
from shared.messaging.administration import KafkaRefused
from shared.messaging.topics import TopicChanges, apply_topics
from shared.messaging.users import apply_users

_PATIENCE_SECONDS = 120.0
_PAUSE = 0.03


def prepare_databases(plan: Plan) -> None:
    """Create what is missing; what is there stays as it is."""
    roles = {service: plan.role_passwords(service) for service in SERVICES}
    ensure_databases(plan.postgres, roles, is_ours=plan.external.postgres is None)


def migrate_databases(plan: Plan) -> None:
    """Bring each service's tables to what its code expects."""
    for service in startable_services():
        asyncio.run(upgrade(plan.settings_of(service).database, service))


def prepare_kafka(plan: Plan, *, replication: int = 1, dry_run: bool = False) -> TopicChanges:
    """Create users, topics and access lists where they are missing or differ."""
    passwords = {name: plan.passwords.of(KAFKA, name) for name in PRINCIPALS}
    try:
        if not dry_run:
            # A Kafka that is not ours may know these users from a folder that is gone.
            apply_users(plan.kafka_admin, passwords, replace=plan.external.kafka is not None)
        return apply_topics(plan.kafka_admin, TOPICS, replication=replication, dry_run=dry_run)
    except KafkaRefused as error:
        raise StackProblem(str(error)) from error


def _prepare_all(root: Path) -> None:
    """Prepare each part as soon as it serves; `python -m deploy.local.prepare FOLDER`."""
    plan = known_plan(open_data_folder(root), external=read_external(os.environ))
    parts = {part.name: part for part in plan.parts}
    _await(parts.get(POSTGRES))
    prepare_databases(plan)
    migrate_databases(plan)
    _await(parts.get(KAFKA))
    prepare_kafka(plan)


def _await(part: Part | None) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while part is not None and not part.is_ready():
        if time.monotonic() > deadline:
            raise StackProblem(f"{part.name} did not serve within {_PATIENCE_SECONDS:.0f} s.")
        time.sleep(_PAUSE)


if __name__ == "__main__":
    try:
        _prepare_all(Path(sys.argv[1]))
    except StackProblem as problem:
        sys.exit(str(problem))
