"""Names and regular expressions: what may stand in a manifest as one."""

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""What a setting, a derived value or a credential field may be called."""

_MOST_CHARACTERS = 500


@lru_cache(maxsize=4096)
def is_expression(pattern: str) -> bool:
    """Tell whether it is a regular expression, and one that no reader would take otherwise."""
    if len(pattern) > _MOST_CHARACTERS:
        return False
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError, Warning):
        return False
    return True


def matches(pattern: str, value: str) -> bool:
    return re.fullmatch(pattern, value) is not None


def repeated(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]
