"""Gives Kafka's principals their passwords, at run time and without one on a command line."""

from collections.abc import Mapping

from shared.messaging.administration import Administrator, until
from shared.settings import KafkaSettings


def apply_users(
    admin: KafkaSettings, passwords: Mapping[str, str], *, replace: bool = False
) -> tuple[str, ...]:
    """Create the users that are missing (SCRAM-SHA-512) and return their names.

    With `replace` those that are there get these passwords too.
    """
    kafka = Administrator(admin)
    before = kafka.users()
    given = {name: one for name, one in passwords.items() if replace or name not in before}
    if given:
        kafka.set_passwords(given)
        until(
            lambda: passwords.keys() <= kafka.users(),
            "Kafka's users did not appear: is the broker well?",
        )
    return tuple(given)
