"""Makes the running parts fit for the services: databases and roles, Kafka's users and topics."""

from keyturn_contracts.topics import PRINCIPALS, TOPICS

from deploy.local.kafka import NAME as KAFKA
from deploy.local.plan import Plan
from deploy.local.problems import StackProblem
from deploy.local.roles import ensure_databases
from deploy.local.services import SERVICES
from shared.messaging.administration import KafkaRefused
from shared.messaging.topics import TopicChanges, apply_topics
from shared.messaging.users import apply_users


def prepare_databases(plan: Plan) -> None:
    """Create what is missing; what is there stays as it is."""
    roles = {service: plan.role_passwords(service) for service in SERVICES}
    ensure_databases(plan.postgres, roles, is_ours=plan.external.postgres is None)


def prepare_kafka(plan: Plan, *, replication: int = 1) -> TopicChanges:
    """Create users, topics and access lists where they are missing or differ."""
    passwords = {name: plan.passwords.of(KAFKA, name) for name in PRINCIPALS}
    try:
        # A Kafka that is not ours may know these users from a folder that is gone.
        apply_users(plan.kafka_admin, passwords, replace=plan.external.kafka is not None)
        return apply_topics(plan.kafka_admin, TOPICS, replication=replication)
    except KafkaRefused as error:
        raise StackProblem(str(error)) from error
