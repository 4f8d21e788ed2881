"""Every topic: who writes it, who reads it, and how long what is in it stays."""

from dataclasses import dataclass
from typing import Literal

DAY_MS = 24 * 60 * 60 * 1000
HOUR_MS = 60 * 60 * 1000
PARTITIONS = 12
"""For ever: with another number the same key would go to another partition."""

SERVICES = ("catalog", "installation", "credential-vault", "access", "workflow")
"""Principals that a service runs as, each with a broker password of its own."""
BACKEND = "backend"
"""Whatever publishes commands for people and systems of the platform."""
ENGINE = "engine"
"""Engines that the platform runs."""
PRINCIPALS = (*SERVICES, BACKEND, ENGINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic as it is declared; `keyturn topics apply` makes it so."""

    name: str
    cleanup: Literal["delete", "compact"]
    retention_ms: int = -1
    """How long a record stays; -1 for ever."""
    segment_ms: int | None = None
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    partitions: int = PARTITIONS


def commands_topic(service: str) -> str:
    return f"keyturn.{service}.commands"


def events_topic(service: str) -> str:
    return f"keyturn.{service}.events"


def audit_topic(service: str) -> str:
    return f"keyturn.{service}.audit"


def replies_topic(issuer: str) -> str:
    return f"keyturn.replies.{issuer}"


def _topics_of(
    service: str, *, senders: tuple[str, ...], listeners: tuple[str, ...]
) -> tuple[Topic, ...]:
    return (
        Topic(
            name=commands_topic(service),
            cleanup="delete",
            retention_ms=3 * DAY_MS,
            segment_ms=HOUR_MS,
            writers=senders,
            readers=(service,),
        ),
        Topic(
            name=events_topic(service),
            cleanup="compact",
            writers=(service,),
            readers=listeners,
        ),
        Topic(
            name=audit_topic(service),
            cleanup="delete",
            writers=(service,),
            readers=(),
        ),
    )


def replies(issuer: str) -> Topic:
    """Declare the topic of outcomes for an issuer whose configuration asks for one."""
    return Topic(
        name=replies_topic(issuer),
        cleanup="delete",
        retention_ms=7 * DAY_MS,
        writers=SERVICES,
        readers=(BACKEND,),
    )


LOCAL_ISSUER = "local"
"""The issuer that `keyturn up` makes for the command line."""

TOPICS: tuple[Topic, ...] = (
    *_topics_of(
        "catalog",
        senders=(BACKEND,),
        listeners=("installation", "credential-vault", "workflow", BACKEND),
    ),
    *_topics_of(
        "installation",
        senders=(BACKEND,),
        listeners=("catalog", "credential-vault", "access", "workflow", BACKEND, ENGINE),
    ),
    *_topics_of(
        "credential-vault",
        senders=(BACKEND,),
        listeners=("installation", "access", "workflow", BACKEND, ENGINE),
    ),
    *_topics_of(
        "access",
        senders=(BACKEND,),
        listeners=("catalog", "installation", "credential-vault", "workflow", BACKEND, ENGINE),
    ),
    *_topics_of(
        "workflow",
        senders=(BACKEND, ENGINE),
        listeners=("installation", "credential-vault", "access", BACKEND, ENGINE),
    ),
    replies(LOCAL_ISSUER),
)
