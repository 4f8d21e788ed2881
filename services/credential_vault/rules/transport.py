"""How long a transport key is given out, accepted and kept."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from keyturn_contracts.topics import TOPICS, commands_topic

PUBLISHED = timedelta(days=1)
ACCEPTED = timedelta(days=2)
"""How long after it was last given out what was sealed to it is still opened."""
KEPT = timedelta(
    milliseconds=next(
        one.retention_ms for one in TOPICS if one.name == commands_topic("credential-vault")
    )
)
"""How long after that a command may still be in the log that was appended in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    published_at: datetime
    published_until: datetime
    accepted_until: datetime


def lifetime_from(now: datetime) -> Lifetime:
    return Lifetime(
        published_at=now,
        published_until=now + PUBLISHED,
        accepted_until=now + PUBLISHED + ACCEPTED,
    )


def is_accepted(accepted_until: datetime, appended_at: datetime) -> bool:
    """Tell whether a command that the broker appended then may be sealed to the key.

    The append time decides, so a command stays valid however late it is read.
    """
    return appended_at <= accepted_until
