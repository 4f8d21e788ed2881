"""What a command was signed over, verbatim, so that an outsider can check it again."""

import base64

from keyturn_contracts.message import Command
from keyturn_contracts.proof import SignedCommand

from shared.messaging.envelope import Asked


def verbatim(asked: Asked[Command]) -> SignedCommand:
    return SignedCommand(
        id=asked.id.id,
        type=asked.evidence.type,
        topic=asked.evidence.topic,
        epoch=asked.epoch,
        number=asked.number,
        value=base64.b64encode(asked.evidence.value).decode(),
        actor=asked.evidence.actor,
        appended_at=asked.at,
    )
