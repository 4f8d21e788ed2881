"""Names that may stand in a manifest, and sentences about it."""

import re
from collections import Counter
from collections.abc import Iterable

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""What a setting, a derived value or a credential field may be called."""

_MOST_CHARACTERS = 500
"""Of a sentence."""


def repeated(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def printable(sentence: str) -> str:
    """Shorten a sentence, and replace what a publisher put into it to move somebody's cursor."""
    short = sentence
    if len(sentence) > _MOST_CHARACTERS:
        short = f"{sentence[: _MOST_CHARACTERS - 1]}…"
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in short)
