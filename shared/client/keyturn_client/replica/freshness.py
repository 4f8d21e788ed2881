"""What was read of which topics, and since when all in them is known to be heard. Pure."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from keyturn_client.problems import UnreachableError
from keyturn_client.wire import Place


class RewoundError(UnreachableError):
    """The topic is another one than it was: it was made anew, lost its end, or is elsewhere."""

    def __init__(self) -> None:
        super().__init__(
            "The events in Kafka are not those that were read: the topic was made anew, it lost "
            "its end, or this is another cluster. The copy begins anew."
        )


@dataclass(frozen=True, slots=True)
class Origin:
    """Where records are from. Offsets of one origin mean nothing in another."""

    cluster: str
    topics: Mapping[str, bytes]
    """The id of each topic, 16 bytes: no two that were ever made have the same."""


@dataclass(slots=True)
class Freshness:
    """Ends are asked for, and when all of them are reached, all from before the asking is heard."""

    positions: dict[Place, int] = field(default_factory=dict[Place, int])
    """The offset behind what was read of each partition."""
    known_at: float | None = None
    """When everything that was there had been heard, by `now`; None: never yet."""
    is_reached: bool = False
    """Whether the ends that were asked for last are reached."""
    origin: Origin | None = None
    """Of all that was read; None before anything was."""
    _ends: Mapping[Place, int] = field(default_factory=dict[Place, int])
    _asked_at: float = 0.0

    def recognise(self, origin: Origin) -> None:
        """Take where records are from now; `RewoundError` where those before were from elsewhere.

        A topic that was made anew and has grown beyond what was read of the old one shows itself
        by nothing else.
        """
        if self.origin is not None and self.origin != origin:
            raise RewoundError
        self.origin = origin

    def aim(self, ends: Mapping[Place, int], asked_at: float) -> None:
        """Take the ends that Kafka told; `asked_at` is from before it was asked."""
        if any(ends.get(place, 0) < read for place, read in self.positions.items()):
            raise RewoundError
        self._ends, self._asked_at = ends, asked_at
        self._look()

    def advance(self, positions: Mapping[Place, int]) -> None:
        """Take how far was read by now, after what was read has been heard."""
        if any(positions.get(place, 0) < read for place, read in self.positions.items()):
            raise RewoundError
        self.positions = dict(positions)
        self._look()

    def _look(self) -> None:
        self.is_reached = all(
            self.positions.get(place, 0) >= end for place, end in self._ends.items()
        )
        if self.is_reached:
            self.known_at = self._asked_at


def now() -> float:
    """Return seconds of a clock that nobody sets.

    On Linux it goes on while the machine is suspended: a copy is old when that wakes up.
    """
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
