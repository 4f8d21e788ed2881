"""Makes Kafka's topics and access lists what the contracts declare them to be."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from keyturn_contracts.topics import PRINCIPALS, Topic

from shared.messaging.administration import KafkaRefused, answer, answers, connect, until
from shared.settings import KafkaSettings

GROUP_PREFIX = "keyturn."
_MANAGED = (
    "cleanup.policy",
    "message.timestamp.type",
    "min.insync.replicas",
    "retention.ms",
    "segment.ms",
)
_SAFE_REPLICATION = 3


@dataclass(frozen=True, slots=True)
class TopicChanges:
    """What `apply_topics` had to change."""

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
) -> TopicChanges:
    """Create, configure and protect the topics; access of these principals to anything else ends.

    Returns when the broker applies all of it. Raises KafkaRefused, before anything is changed, when
    a topic has another number of partitions than declared.
    """
    client = connect(admin)
    found = client.list_topics(timeout=15).topics
    _refuse_other_partitions(topics, {name: len(one.partitions) for name, one in found.items()})
    missing = [topic for topic in topics if topic.name not in found]
    _create(client, missing, replication)
    configured = _configure(client, [topic for topic in topics if topic.name in found], replication)
    granted, withdrawn = _protect(client, topics, frozenset(principals))
    return TopicChanges(
        created=tuple(topic.name for topic in missing),
        configured=tuple(configured),
        granted=granted,
        withdrawn=withdrawn,
    )


def group_prefix(principal: str) -> str:
    """What every consumer group of a principal begins with."""
    return GROUP_PREFIX + principal


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


def _create(client: AdminClient, topics: Sequence[Topic], replication: int) -> None:
    if not topics:
        return
    new = [
        NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=replication,
            config=_settings_of(topic, replication),
        )
        for topic in topics
    ]
    answers(client.create_topics(new))
    names = {topic.name for topic in topics}
    until(
        lambda: names <= client.list_topics(timeout=15).topics.keys(),
        "Topics that were created did not appear: is the broker well?",
    )


def _configure(client: AdminClient, topics: Sequence[Topic], replication: int) -> list[str]:
    if not topics:
        return []
    wanted = {topic.name: _settings_of(topic, replication) for topic in topics}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in wanted]
    described = client.describe_configs(resources)
    changes: list[ConfigResource] = []
    for resource, future in described.items():
        entries = answer(future)
        own = {name: one.value for name, one in entries.items() if not one.is_default}
        own = {name: value for name, value in own.items() if name in _MANAGED}
        if change := _difference(own, wanted[resource.name]):
            changes.append(
                ConfigResource(ResourceType.TOPIC, resource.name, incremental_configs=change)
            )
    if changes:
        answers(client.incremental_alter_configs(changes))
    return [change.name for change in changes]


def _difference(own: dict[str, str], wanted: dict[str, str]) -> list[ConfigEntry]:
    set_ones = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in wanted.items()
        if own.get(name) != value
    ]
    unset_ones = [
        ConfigEntry(name, None, incremental_operation=AlterConfigOpType.DELETE)
        for name in own
        if name not in wanted
    ]
    return set_ones + unset_ones


def _protect(
    client: AdminClient, topics: Sequence[Topic], principals: frozenset[str]
) -> tuple[int, int]:
    wanted = set(_access(topics))
    users = {f"User:{principal}" for principal in principals}

    def given() -> set[AclBinding]:
        return {one for one in answer(client.describe_acls(_ANYTHING)) if one.principal in users}

    before = given()
    granted, withdrawn = wanted - before, before - wanted
    if granted:
        answers(client.create_acls(list(granted)))
    if withdrawn:
        answers(client.delete_acls([_only(one) for one in withdrawn]))
    if granted or withdrawn:
        until(
            lambda: given() == wanted,
            "Access lists did not become what was declared: is somebody else changing them?",
        )
    return len(granted), len(withdrawn)


def _access(topics: Sequence[Topic]) -> Iterable[AclBinding]:
    readers: set[str] = set()
    for topic in topics:
        for principal in topic.writers:
            yield _allowed(principal, AclOperation.WRITE, topic=topic.name)
        for principal in topic.readers:
            yield _allowed(principal, AclOperation.READ, topic=topic.name)
            readers.add(principal)
    for principal in readers:
        # The group's own name, and names below it: two services may share a beginning.
        group = group_prefix(principal)
        yield _allowed(principal, AclOperation.READ, group=group)
        yield _allowed(principal, AclOperation.READ, groups_below=f"{group}.")


def _allowed(
    principal: str,
    operation: AclOperation,
    *,
    topic: str = "",
    group: str = "",
    groups_below: str = "",
) -> AclBinding:
    return AclBinding(
        ResourceType.TOPIC if topic else ResourceType.GROUP,
        topic or group or groups_below,
        ResourcePatternType.PREFIXED if groups_below else ResourcePatternType.LITERAL,
        f"User:{principal}",
        "*",
        operation,
        AclPermissionType.ALLOW,
    )


_ANYTHING = AclBindingFilter(
    ResourceType.ANY,
    None,
    ResourcePatternType.ANY,
    None,
    None,
    AclOperation.ANY,
    AclPermissionType.ANY,
)


def _only(one: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        one.restype,
        one.name,
        one.resource_pattern_type,
        one.principal,
        one.host,
        one.operation,
        one.permission_type,
    )
