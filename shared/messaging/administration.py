"""The one connection to Kafka that may declare topics, access and users.

What confluent-kafka returns is turned into types of ours here and nowhere else.
"""

# Its admin module exports by importing, and its futures do not say what they hold.
# pyright: reportPrivateImportUsage=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from confluent_kafka import KafkaException
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
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from shared.settings import KafkaSettings

_ANSWER_SECONDS = 60.0
_PAUSE_SECONDS = 0.005
_SCRAM_ITERATIONS = 4096


class KafkaRefused(Exception):  # noqa: N818  its text is what an operator reads
    """Kafka did not do what a declaration asks for; the text says what to do."""

    def __init__(self, sentence: str, *, code: int | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        """Kafka's own number for it, of `KafkaError`."""


@dataclass(frozen=True, slots=True)
class Access:
    """One thing that one principal is allowed, in the words of Kafka: READ, TOPIC, PREFIXED."""

    principal: str
    operation: str
    kind: str
    name: str
    pattern: str = "LITERAL"
    host: str = "*"
    permission: str = "ALLOW"


class Administrator:
    """Every call returns when Kafka has answered, and raises KafkaRefused when that was a no."""

    def __init__(self, kafka: KafkaSettings) -> None:
        configuration: dict[str, str | int | float | bool] = {
            "bootstrap.servers": kafka.bootstrap,
            "security.protocol": kafka.security_protocol,
            "sasl.mechanism": kafka.mechanism,
            "sasl.username": kafka.principal,
            "sasl.password": kafka.password.get_secret_value(),
            "client.id": "keyturn-admin",
            # What matters is raised; it would repeat the rest on stderr until it is collected.
            "log_level": 0,
        }
        if kafka.ca_file is not None:
            configuration["ssl.ca.location"] = str(kafka.ca_file)
        self._client = AdminClient(configuration)

    def partitions(self) -> dict[str, int]:
        """Return every topic with the number of its partitions."""
        try:
            topics = self._client.list_topics(timeout=_ANSWER_SECONDS).topics
        except KafkaException as error:
            raise _refusal(error) from error
        return {name: len(one.partitions) for name, one in topics.items()}

    def create_topic(
        self, name: str, *, partitions: int, replication: int, settings: Mapping[str, str]
    ) -> Future[Any]:
        """Begin to create a topic; await it with `done`, many at once."""
        topic = NewTopic(
            name,
            num_partitions=partitions,
            replication_factor=replication,
            config=dict(settings),
        )
        return self._client.create_topics([topic])[name]

    def settings_of(self, topics: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return of each topic the settings that are its own, not the broker's."""
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in topics]
        found: dict[str, dict[str, str]] = {}
        for resource, future in self._client.describe_configs(resources).items():
            entries = cast("dict[str, ConfigEntry]", _answer(future))
            found[resource.name] = {
                name: str(entry.value) for name, entry in entries.items() if not entry.is_default
            }
        return found

    def change_settings(self, changes: Mapping[str, Mapping[str, str | None]]) -> None:
        """Set these settings of these topics; None takes one away."""
        resources = [
            ConfigResource(
                ResourceType.TOPIC,
                topic,
                incremental_configs=[_change(name, value) for name, value in settings.items()],
            )
            for topic, settings in changes.items()
        ]
        if resources:
            done(self._client.incremental_alter_configs(resources).values())

    def access(self, principals: Iterable[str]) -> set[Access]:
        """Return all that these principals are allowed or denied."""
        users = {f"User:{name}" for name in principals}
        bindings = cast("list[AclBinding]", _answer(self._client.describe_acls(_ANYTHING)))
        return {_access(one) for one in bindings if one.principal in users}

    def grant(self, access: Iterable[Access]) -> None:
        """Grant it; the broker may apply it a moment later, so look until it is there."""
        bindings = [AclBinding(*_words(one)) for one in access]
        if bindings:
            done(self._client.create_acls(bindings).values())

    def withdraw(self, access: Iterable[Access]) -> None:
        """Withdraw exactly this; the broker may apply it a moment later."""
        filters = [AclBindingFilter(*_words(one)) for one in access]
        if filters:
            done(self._client.delete_acls(filters).values())

    def users(self) -> set[str]:
        """Return everyone who logs in by SCRAM."""
        future = cast("Future[dict[str, Any]]", self._client.describe_user_scram_credentials())
        return set(_answer(future))

    def set_passwords(self, passwords: Mapping[str, str]) -> None:
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _SCRAM_ITERATIONS)
        done(
            self._client.alter_user_scram_credentials(
                [
                    UserScramCredentialUpsertion(name, info, password.encode())
                    for name, password in passwords.items()
                ]
            ).values()
        )


def done(futures: Iterable[Future[Any]]) -> None:
    """Wait until all of them were answered with a yes."""
    for future in list(futures):
        _answer(future)


def until(is_so: Callable[[], bool], otherwise: str) -> None:
    """Wait until the broker applies what the controller has acknowledged."""
    deadline = time.monotonic() + _ANSWER_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise KafkaRefused(otherwise)
        time.sleep(_PAUSE_SECONDS)


def _answer(future: Future[Any]) -> Any:
    try:
        return future.result(_ANSWER_SECONDS)
    except KafkaException as error:
        raise _refusal(error) from error
    except TimeoutError as error:
        raise KafkaRefused("Kafka did not answer in time: is it running and reachable?") from error


def _refusal(error: KafkaException) -> KafkaRefused:
    reason = error.args[0]
    return KafkaRefused(f"Kafka refused: {reason.str().rstrip('.')}.", code=reason.code())


def _change(name: str, value: str | None) -> ConfigEntry:
    operation = AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET
    # Its signature asks for text, and its C code takes None where there is nothing to set.
    return ConfigEntry(name, cast("str", value), incremental_operation=operation)


def _access(binding: AclBinding) -> Access:
    return Access(
        principal=binding.principal.removeprefix("User:"),
        operation=_name(binding.operation),
        kind=_name(binding.restype),
        name=binding.name,
        pattern=_name(binding.resource_pattern_type),
        host=binding.host,
        permission=_name(binding.permission_type),
    )


def _words(
    access: Access,
) -> tuple[ResourceType, str, ResourcePatternType, str, str, AclOperation, AclPermissionType]:
    return (
        ResourceType[access.kind],
        access.name,
        ResourcePatternType[access.pattern],
        f"User:{access.principal}",
        access.host,
        AclOperation[access.operation],
        AclPermissionType[access.permission],
    )


def _name(word: object) -> str:
    return word.name if isinstance(word, Enum) else str(word)


_ANYTHING = AclBindingFilter(
    ResourceType.ANY,
    cast("str", None),
    ResourcePatternType.ANY,
    cast("str", None),
    cast("str", None),
    AclOperation.ANY,
    AclPermissionType.ANY,
)
"""Matches every entry: a name that is None is any name, whatever the signature says."""
