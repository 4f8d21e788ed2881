"""Makes Kafka's topics and access lists what the contracts declare them to be."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from confluent_kafka import KafkaError
from keyturn_contracts.topics import PRINCIPALS, Topic

from shared.messaging.administration import Access, Administrator, KafkaRefused, done, until
from shared.settings import KafkaSettings

_MANAGED = frozenset(
    {
        "cleanup.policy",
        "message.timestamp.type",
        "min.insync.replicas",
        "retention.ms",
        "segment.ms",
    }
)
"""Settings of a topic that are ours; an operator's others stay as they are."""
_SAFE_REPLICATION = 3


@dataclass(frozen=True, slots=True)
class TopicChanges:
    """What had to be changed."""

    created: tuple[str, ...]
    configured: tuple[str, ...]
    granted: int
    withdrawn: int


def apply_topics(
    admin: KafkaSettings,
    topics: Sequence[Topic],
    *,
    replication: int = 1,
    principals: Iterable[str] = PRINCIPALS,
    dry_run: bool = False,
) -> TopicChanges:
    """Create, configure and protect the topics; what else these principals were allowed ends.

    Returns when the broker applies all of it; with `dry_run` only what would be done. Raises
    KafkaRefused, before anything is changed, when a topic has another number of partitions than
    declared.
    """
    kafka = Administrator(admin)
    found = kafka.partitions()
    _refuse_other_partitions(topics, found)
    missing = [topic for topic in topics if topic.name not in found]
    settings = _changed_settings(kafka, [one for one in topics if one.name in found], replication)
    users = frozenset(principals)
    wanted, before = set(_access(topics)), kafka.access(users)
    if not dry_run:
        _create(kafka, missing, replication)
        kafka.change_settings(settings)
        _protect(kafka, wanted, before, users)
    return TopicChanges(
        created=tuple(topic.name for topic in missing),
        configured=tuple(settings),
        granted=len(wanted - before),
        withdrawn=len(before - wanted),
    )


def group_of(principal: str) -> str:
    """Name the consumer group of a principal; below it, after a dot, it may have others."""
    return f"keyturn.{principal}"


def _refuse_other_partitions(topics: Sequence[Topic], found: dict[str, int]) -> None:
    for topic in topics:
        partitions = found.get(topic.name, topic.partitions)
        if partitions != topic.partitions:
            raise KafkaRefused(
                f"{topic.name} has {partitions} partitions and is declared with "
                f"{topic.partitions}: their number can never change, for a key would go to another "
                "partition. Declare what is there, or begin a topic of another name."
            )


def _settings_of(topic: Topic, replication: int) -> dict[str, str]:
    settings = {
        "cleanup.policy": topic.cleanup,
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": "2" if replication >= _SAFE_REPLICATION else "1",
        "retention.ms": str(topic.retention_ms),
    }
    if topic.segment_ms is not None:
        settings["segment.ms"] = str(topic.segment_ms)
    return settings


def _create(kafka: Administrator, topics: Sequence[Topic], replication: int) -> None:
    for topic in topics:
        until(
            partial(_is_created, kafka, topic, replication),
            f"{topic.name} could not be created: no broker was there for it in time.",
        )
    names = {topic.name for topic in topics}
    until(
        lambda: not names or names <= kafka.partitions().keys(),
        "Topics that were created did not appear: is the broker well?",
    )


def _is_created(kafka: Administrator, topic: Topic, replication: int) -> bool:
    try:
        done(
            [
                kafka.create_topic(
                    topic.name,
                    partitions=topic.partitions,
                    replication=replication,
                    settings=_settings_of(topic, replication),
                )
            ]
        )
    except KafkaRefused as refused:
        # A busy machine's only broker is taken for dead for a moment, and comes back.
        if refused.code == KafkaError.INVALID_REPLICATION_FACTOR and replication == 1:
            return False
        if refused.code != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
    return True


def _changed_settings(
    kafka: Administrator, topics: Sequence[Topic], replication: int
) -> dict[str, dict[str, str | None]]:
    changes: dict[str, dict[str, str | None]] = {}
    if not topics:
        return changes
    found = kafka.settings_of(topic.name for topic in topics)
    for topic in topics:
        wanted = _settings_of(topic, replication)
        own = found[topic.name]
        changed: dict[str, str | None] = {
            name: value for name, value in wanted.items() if own.get(name) != value
        }
        changed |= dict.fromkeys((own.keys() & _MANAGED) - wanted.keys())
        if changed:
            changes[topic.name] = changed
    return changes


def _protect(
    kafka: Administrator, wanted: set[Access], before: set[Access], principals: frozenset[str]
) -> None:
    kafka.grant(wanted - before)
    kafka.withdraw(before - wanted)
    until(
        lambda: wanted == before or kafka.access(principals) == wanted,
        "Access lists did not become what was declared: is somebody else changing them?",
    )


def _access(topics: Sequence[Topic]) -> Iterator[Access]:
    for topic in topics:
        for principal in topic.writers:
            yield Access(principal, "WRITE", "TOPIC", topic.name)
        for principal in topic.readers:
            yield Access(principal, "READ", "TOPIC", topic.name)
    for reader in {name for topic in topics for name in topic.readers}:
        # The name itself and what is below it: the names of two services may begin alike.
        yield Access(reader, "READ", "GROUP", group_of(reader))
        yield Access(reader, "READ", "GROUP", f"{group_of(reader)}.", "PREFIXED")
