"""Stops the consumer where most of what arrives fails in our own code."""

from collections import deque

_WINDOW = 200
_FEWEST = 20
"""So many failures at least: one bad message of three is no reason to stand still."""


class Brake:
    """Looks at what arrived last. What was refused or forged is no failure of ours.

    When the deploy is wrong and not the messages, each of them would be tried, held and parked,
    and somebody would have to sort them. Started again, the service goes on.
    """

    def __init__(self) -> None:
        self._failed: deque[bool] = deque(maxlen=_WINDOW)

    def note(self, *, arrived: int, failed: int) -> None:
        """Note messages that are new, and how many of them failed."""
        self._failed.extend([True] * failed + [False] * max(0, arrived - failed))

    @property
    def is_on(self) -> bool:
        failed = sum(self._failed)
        return failed >= _FEWEST and failed * 2 > len(self._failed)
