"""How long to wait before a part that died is started again."""

from dataclasses import dataclass

_PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before the first restart, the second, and so on; the last one for all that follow."""
_WELL_SECONDS = 60.0
"""What ran as long as this has recovered: its next end is a first one again."""


@dataclass(slots=True)
class Restarts:
    """Counts the ends of one part."""

    in_a_row: int = 0
    total: int = 0

    def pause_after_end(self, *, ran_seconds: float) -> float:
        """Count one more end, and return the seconds to wait before the next start."""
        if ran_seconds >= _WELL_SECONDS:
            self.in_a_row = 0
        pause = _PAUSES[min(self.in_a_row, len(_PAUSES) - 1)]
        self.in_a_row += 1
        self.total += 1
        return pause
