"""Gives Kafka's principals their passwords, at run time and without one on a command line."""

from collections.abc import Mapping

from confluent_kafka.admin import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from shared.messaging.administration import answer, answers, connect, until
from shared.settings import KafkaSettings

_ITERATIONS = 4096


def apply_users(
    admin: KafkaSettings, passwords: Mapping[str, str], *, replace: bool = False
) -> tuple[str, ...]:
    """Create the users that are missing (SCRAM-SHA-512) and return their names.

    With `replace` those that are there get these passwords too.
    """
    client = connect(admin)

    def known() -> set[str]:
        return set(answer(client.describe_user_scram_credentials()))

    before = known()
    given = tuple(name for name in passwords if replace or name not in before)
    if given:
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
        answers(
            client.alter_user_scram_credentials(
                [
                    UserScramCredentialUpsertion(name, info, passwords[name].encode())
                    for name in given
                ]
            )
        )
        until(
            lambda: set(passwords) <= known(),
            "Kafka's users did not appear: is the broker well?",
        )
    return given
