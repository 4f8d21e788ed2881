"""Pauses that grow, between attempts at what may work later."""

import random
from dataclasses import dataclass


@dataclass(slots=True)
class Pauses:
    """Doubles from `first` to `most` seconds, each shortened by chance so that many do not meet."""

    first: float = 0.1
    most: float = 10.0
    _next: float = 0.0

    def next(self) -> float:
        """Return how many seconds to wait now."""
        now = max(self._next, self.first)
        self._next = min(now * 2, self.most)
        return now * random.uniform(0.5, 1.0)  # noqa: S311  no secret

    def reset(self) -> None:
        """Begin small again: it worked."""
        self._next = 0.0
