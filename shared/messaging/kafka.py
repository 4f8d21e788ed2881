"""How this process reaches Kafka: the same settings for the consumer, the relay and the check."""

import ssl
from typing import Any, cast

from aiokafka.admin import AIOKafkaAdminClient
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from shared.settings import KafkaSettings

MAX_RECORD_BYTES = 1024 * 1024
"""What a producer sends and a broker takes as one record, headers included: room for 900 KiB."""


class TopicsMissing(RuntimeError):  # noqa: N818  its text is the sentence that the operator reads
    """A topic that this service needs is not there, or may not be seen by it."""


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return what every client of aiokafka is given."""
    return {
        "bootstrap_servers": settings.bootstrap,
        "security_protocol": settings.security_protocol,
        "ssl_context": _tls(settings),
        "sasl_mechanism": settings.mechanism,
        "sasl_plain_username": settings.principal,
        "sasl_plain_password": settings.password.get_secret_value(),
    }


def framework_security(settings: KafkaSettings) -> BaseSecurity:
    """Return the same as FastStream wants it."""
    kinds = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    return kinds[settings.mechanism](
        username=settings.principal,
        password=settings.password.get_secret_value(),
        ssl_context=_tls(settings),
        use_ssl=settings.security_protocol == "SASL_SSL",
    )


async def check_cluster(settings: KafkaSettings, topics: list[str]) -> str:
    """Return the cluster's id, or raise `TopicsMissing`.

    aiokafka waits for ever for a topic that is not there.
    """
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        cluster = await admin.describe_cluster()
        described = cast("list[dict[str, Any]]", await admin.describe_topics(topics))
    finally:
        await admin.close()
    missing = sorted(one["topic"] for one in described if one["error_code"] != 0)
    if missing:
        raise TopicsMissing(
            f"Kafka shows {settings.principal} no topic {', '.join(missing)}: run "
            "`keyturn topics apply`, or give this principal its access lists."
        )
    return str(cluster["cluster_id"])


def _tls(settings: KafkaSettings) -> ssl.SSLContext | None:
    if settings.security_protocol != "SASL_SSL":
        return None
    return ssl.create_default_context(cafile=settings.ca_file)
