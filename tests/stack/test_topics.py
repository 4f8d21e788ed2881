"""Topics become what is declared, and what cannot change is refused before anything does."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from keyturn_contracts.topics import Topic

from shared.messaging.administration import Access, Administrator, KafkaRefused
from shared.messaging.topics import apply_topics
from tests.running_stack import RunningStack
from tests.stack.clients import delete_topic

DECLARED = Topic(
    name="keyturn.tests.topics",
    cleanup="delete",
    retention_ms=60_000,
    segment_ms=60_000,
    writers=("writing",),
    readers=("reading",),
    partitions=2,
)
PRINCIPALS = ("writing", "reading")


@pytest.fixture
def kafka(stack: RunningStack) -> Iterator[Administrator]:
    """Have the topic as it is declared, and nothing of it afterwards."""
    admin = stack.kafka.settings_of("admin")
    apply_topics(admin, [DECLARED], principals=PRINCIPALS)
    administrator = Administrator(admin)
    yield administrator
    delete_topic(admin, DECLARED.name)
    apply_topics(admin, [], principals=PRINCIPALS)


def test_settings_follow_the_declaration_and_an_operators_own_stay(
    stack: RunningStack, kafka: Administrator
) -> None:
    kafka.change_settings({DECLARED.name: {"max.message.bytes": "5000"}})
    changed = replace(DECLARED, retention_ms=120_000, segment_ms=None)
    admin = stack.kafka.settings_of("admin")
    assert apply_topics(admin, [changed], principals=PRINCIPALS).configured == (DECLARED.name,)
    settings = kafka.settings_of([DECLARED.name])[DECLARED.name]
    assert settings["retention.ms"] == "120000"
    assert settings["max.message.bytes"] == "5000"
    assert settings["message.timestamp.type"] == "LogAppendTime"
    assert "segment.ms" not in settings


def test_another_number_of_partitions_is_refused_and_nothing_changes(
    stack: RunningStack, kafka: Administrator
) -> None:
    other = replace(DECLARED, partitions=3, retention_ms=1, writers=())
    before = (kafka.settings_of([DECLARED.name]), kafka.access(PRINCIPALS))
    with pytest.raises(KafkaRefused, match="has 2 partitions and is declared with 3"):
        apply_topics(stack.kafka.settings_of("admin"), [other], principals=PRINCIPALS)
    assert (kafka.settings_of([DECLARED.name]), kafka.access(PRINCIPALS)) == before


def test_what_is_no_longer_declared_is_no_longer_allowed(
    stack: RunningStack, kafka: Administrator
) -> None:
    stale = Access("writing", "READ", "TOPIC", "keyturn.tests.other")
    kafka.grant([stale])
    changes = apply_topics(
        stack.kafka.settings_of("admin"),
        [replace(DECLARED, readers=())],
        principals=PRINCIPALS,
    )
    assert (changes.granted, changes.withdrawn) == (0, 4)
    assert kafka.access(PRINCIPALS) == {Access("writing", "WRITE", "TOPIC", DECLARED.name)}


def test_a_dry_run_tells_and_changes_nothing(stack: RunningStack, kafka: Administrator) -> None:
    admin = stack.kafka.settings_of("admin")
    new = replace(DECLARED, name="keyturn.tests.new")
    changed = replace(DECLARED, retention_ms=1, readers=())
    changes = apply_topics(admin, [new, changed], principals=PRINCIPALS, dry_run=True)
    assert (changes.created, changes.configured) == ((new.name,), (DECLARED.name,))
    assert new.name not in kafka.partitions()
    assert apply_topics(admin, [DECLARED], principals=PRINCIPALS).configured == ()
