"""What is put on record of every change, in its own transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from keyturn_contracts.message import Command

from shared.messaging.envelope import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A row of the audit; its brand and id come when it is saved."""

    at: datetime
    issuer: str
    """Who vouched for the actor; empty where the service acted by itself."""
    actor: str
    action: str
    """The command's name, or what the service did by itself."""
    subject: str
    members: Mapping[str, str]
    """By member, or `*`, what they became."""
    why: str | None = None


def record_of(
    asked: Asked[Command],
    members: Mapping[str, str],
    *,
    subject: str | None = None,
    why: str | None = None,
) -> Record:
    """Return what a command did; to what it names, unless another `subject` is given."""
    return Record(
        at=asked.at,
        issuer=asked.actor.issuer,
        actor=asked.actor.subject,
        action=type(asked.command).__name__,
        subject=subject or asked.key.subject,
        members=members,
        why=why,
    )
