"""Which characters fit one place of a pattern: a class in brackets, an escape, a letter."""

import re
from collections.abc import Iterable
from functools import lru_cache

_IN_A_CLASS = re.compile(r"\\.|.", re.DOTALL)
_AMBIGUOUS = re.compile(r"--|&&|~~|\|\|")
"""Python warns that these may come to mean something else in a class."""

Ranges = tuple[tuple[str, str], ...]
"""The characters that fit: from the first of a pair to its second, both included; in order."""

_FIRST, LAST = "\0", "\U0010ffff"
_NAMED: dict[str, Ranges] = {
    "d": (("0", "9"),),
    "w": (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z")),
    "s": (("\t", "\r"), (" ", " ")),
}
"""What `re.ASCII` means by a backslash and this letter, in order; the capital is all the rest."""


class PatternError(ValueError):
    """A pattern that is not understood; the text says what of it."""


@lru_cache(maxsize=512)
def of_class(text: str) -> Ranges:
    """Return what fits a class in brackets."""
    if _AMBIGUOUS.search(text):
        raise PatternError(f"{text} is ambiguous")
    is_negated = text.startswith("[^")
    tokens = _IN_A_CLASS.findall(text[1 + is_negated : -1])
    if not tokens:
        raise PatternError(f"{text} is no class")
    ranges: list[tuple[str, str]] = []
    while tokens:
        low = meant(tokens.pop(0))
        # A hyphen at the end is one.
        if len(tokens) > 1 and tokens[0] == "-":
            low = _between(low, meant(tokens[1]), text)
            del tokens[:2]
        ranges += low
    others = outside(ranges)
    return others if is_negated else outside(others)


def meant(token: str) -> Ranges:
    """Return what fits a character, with a backslash before it or without."""
    character = token[-1]
    named = _NAMED.get(character.lower()) if token != character else None
    if named is None:
        return ((character, character),)
    return named if character.islower() else outside(named)


def _between(low: Ranges, high: Ranges, text: str) -> Ranges:
    match low, high:
        case ((first, same),), ((last, likewise),) if first == same <= last == likewise:
            return ((first, last),)
        case _:
            raise PatternError(f"{text} is no class")


def outside(ranges: Iterable[tuple[str, str]]) -> Ranges:
    """Return all other characters, in order and apart."""
    others: list[tuple[str, str]] = []
    first = _FIRST
    for low, high in sorted(ranges):
        if first < low:
            others.append((first, chr(ord(low) - 1)))
        if high == LAST:
            return tuple(others)
        first = max(first, chr(ord(high) + 1))
    return (*others, (first, LAST))


def one_letter(ranges: Ranges) -> str | None:
    """Return, in small, the one letter that fits, or fits as a capital too."""
    letters = {one for pair in ranges for one in pair}
    is_one_each = all(low == high for low, high in ranges)
    small = {one.lower() if one.isascii() else one for one in letters}
    return small.pop() if is_one_each and len(small) == 1 else None
