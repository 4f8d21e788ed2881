"""What an id looks like, and how a new one is made."""

import secrets
import threading
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_\-:@]{1,128}$")]
"""An id that a sender chose. Unique within its brand and kind, never beyond."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$")]
"""An extension's name in paths and keys."""

RolloutId = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_\-:@]{1,128}\.[1-9][0-9]{0,18}$")
]
"""`<account>.<version>`: opening the rollout of one version twice is opening one."""

Hex256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""256 bits as 64 lower-case hexadecimal digits."""

PLATFORM = "platform"
"""The brand of what belongs to none."""


_RANDOM_BITS = 74
_newest = 0
_making = threading.Lock()


def new_id(now: datetime | None = None) -> str:
    """Return a UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then random bits.

    Those that a process makes of its own clock sort in the order it made them, even within a
    millisecond and when the clock is set back (section 6.2, method 2): commands that are sent
    again keep their order.
    """
    global _newest  # noqa: PLW0603  the one before is all that the next has to know
    moment = now or datetime.now(UTC)
    made = int(moment.timestamp() * 1000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    if now is None:
        with _making:
            _newest = made = made if made > _newest else _newest + 1 + secrets.randbits(32)
    milliseconds, random = made >> _RANDOM_BITS, made & (1 << _RANDOM_BITS) - 1
    bits = (milliseconds & 0xFFFFFFFFFFFF) << 80 | 0x7 << 76 | 0b10 << 62
    bits |= random >> 62 << 64 | random & (1 << 62) - 1
    return str(UUID(int=bits))


def time_of_id(text: str) -> datetime | None:
    """Return when a UUIDv7 says it was made, or None where the text is no UUIDv7."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    if found.version != 7 or str(found) != text:  # noqa: PLR2004  the version of RFC 9562
        return None
    return datetime.fromtimestamp((found.int >> 80) / 1000, UTC)
