"""Publishers' patterns of settings and credential fields, matched with a bounded amount of work.

The engine is that of slots in domains. It looks at no more characters than a host has, and a key
or a token may have thousands.
"""

from dataclasses import fields
from functools import lru_cache

from keyturn_contracts.domains.patterns import PatternError, SlotPattern, slot_pattern

__all__ = ["FieldPattern", "PatternError", "field_pattern"]

_MOST_WORK = 1_000_000
"""Characters of a value times those of the pattern: half a second where each step is a new one."""


class FieldPattern(SlotPattern):
    """What the whole value of a field must match."""

    __slots__ = ()

    def matches(self, value: str) -> bool:
        """Tell whether it does; a value that is too long for its pattern does not."""
        if len(value) * len(self._fits) > _MOST_WORK:
            return False
        if not value:
            return self._whole.nullable
        # A long value comes through the same few states again and again.
        steps: dict[tuple[int, str], tuple[int, int]] = {}
        fitting, possible = 0, self._whole.first
        for character in value:
            step = possible, character
            if step not in steps:
                fitting = self._fitting(possible, character)
                steps[step] = fitting, self._after(fitting)
            fitting, possible = steps[step]
            if not fitting:
                return False
        return bool(fitting & self._whole.last)


@lru_cache(maxsize=1024)
def field_pattern(text: str) -> FieldPattern:
    """Read a pattern, or raise `PatternError`, whose text says what of it is not understood."""
    read = slot_pattern(text)
    return FieldPattern(**{one.name: getattr(read, one.name) for one in fields(read)})
