"""Where an announcement stands among those about the same thing, and what type it is of. Pure."""

from typing import NamedTuple

from keyturn_contracts.envelope import UnreadableEnvelopeError, read_headers

from keyturn_client.wire import Read

Position = tuple[int, int]
"""An epoch and a sequence: the newest of a key is the highest."""
BEFORE_ALL: Position = (-1, -1)


class Head(NamedTuple):
    position: Position
    type: str
    brand: str


def read_head(record: Read) -> Head | None:
    """Return what its headers say, or None where they are no event's."""
    try:
        found = read_headers(record.headers)
    except UnreadableEnvelopeError:
        return None
    if found.epoch is None or found.sequence is None:
        return None
    return Head((found.epoch, found.sequence), found.type, found.brand)
