"""Regular expressions of slots and fields, matched in linear time whatever is written in them.

Python's own engine tries alternatives one after the other: `(a+)+` takes it years for some values,
and patterns come from publishers, values from brands. This one follows all alternatives at once
(Glushkov's automaton, a set of positions as the bits of an integer). What it understands means the
same in Python's `re.fullmatch` with `re.ASCII`; what goes beyond (look-around, back references,
flags) is refused.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

_LONGEST_PATTERN = 500
_LONGEST_IN_A_SLOT = 253
_MOST_WORK = 1_000_000
"""Characters of a value times those of the pattern: half a second where each step is a new one."""
_MOST_POSITIONS = 1000
_DEEPEST = 20
_REPEAT = re.compile(r"([*+?])|\{(\d{1,4})(?:(,)(\d{1,4})?)?\}", re.ASCII)
_ESCAPE = re.compile(r"\\[dDwWsS]|\\[^A-Za-z0-9]")
_CLASS = re.compile(r"\[\^?\]?(?:[^\]\\\[]|\\[dDwWsS]|\\[^A-Za-z0-9])*\]")
_AMBIGUOUS = re.compile(r"--|&&|~~|\|\|")
"""Python warns that these may come to mean something else in a class."""
_ORDINARY = re.compile(r"[^\\.\[()|*+?{^$]")

Matches = Callable[[str], object]
"""Whether one character fits, as truth."""


class PatternError(ValueError):
    """A pattern that is not understood; the text says what of it."""


class _Part(NamedTuple):
    """A piece of an automaton: whether it matches nothing, where it begins and where it ends."""

    nullable: bool
    first: int
    last: int


_NOTHING = _Part(nullable=True, first=0, last=0)


@dataclass(frozen=True, slots=True)
class Pattern:
    """What the whole of a value must match."""

    _fits: tuple[Matches, ...]
    _follows: tuple[int, ...]
    _whole: _Part

    def matches_slot(self, value: str) -> bool:
        """Tell whether it does, of a value that becomes a host: none is longer than one."""
        return len(value) <= _LONGEST_IN_A_SLOT and self._matches(value)

    def matches_field(self, value: str) -> bool:
        """Tell whether it does; a value that is too long for its pattern does not.

        A key or a token may have thousands of characters.
        """
        return len(value) * len(self._fits) <= _MOST_WORK and self._matches(value)

    def _matches(self, value: str) -> bool:
        if not value:
            return self._whole.nullable
        # A long value comes through the same few states again and again.
        steps: dict[tuple[int, str], tuple[int, int]] = {}
        possible, fitting = self._whole.first, 0
        for character in value:
            step = possible, character
            if step not in steps:
                fitting = self._fitting(possible, character)
                steps[step] = fitting, self._after(fitting)
            fitting, possible = steps[step]
            if not fitting:
                return False
        return bool(fitting & self._whole.last)

    def _fitting(self, possible: int, character: str) -> int:
        fitting = 0
        for position in _bits(possible):
            if self._fits[position](character):
                fitting |= 1 << position
        return fitting

    def _after(self, fitting: int) -> int:
        after = 0
        for position in _bits(fitting):
            after |= self._follows[position]
        return after


@lru_cache(maxsize=1024)
def read_pattern(text: str) -> Pattern:
    """Read a pattern, or raise `PatternError`, whose text says what of it is not understood."""
    if len(text) > _LONGEST_PATTERN:
        raise PatternError(f"it is longer than {_LONGEST_PATTERN} characters")
    return _Reader(text).whole()


class _Reader:
    """Reads a pattern from left to right, and numbers the positions of its automaton."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._read = 0
        self._fits: list[Matches] = []
        self._follows: list[int] = []

    def whole(self) -> Pattern:
        part = self._alternatives()
        if self._at < len(self._text):
            raise PatternError("a bracket closes that was not opened")
        return Pattern(tuple(self._fits), tuple(self._follows), part)

    def _alternatives(self) -> _Part:
        part = self._sequence()
        while self._take("|"):
            other = self._sequence()
            part = _Part(
                part.nullable or other.nullable, part.first | other.first, part.last | other.last
            )
        return part

    def _sequence(self) -> _Part:
        is_outside = self._depth == 0
        if is_outside:
            self._take("^")  # the whole value has to match anyway
        part = _NOTHING
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            if is_outside and self._text[self._at] == "$":
                self._at += 1
                if self._at < len(self._text) and self._text[self._at] != "|":
                    raise PatternError("`$` stands before its end")
                break
            part = self._then(part, self._repeated())
        return part

    def _repeated(self) -> _Part:
        """Read what stands here and how often. Each time makes positions of its own."""
        begin = self._at
        one = self._one()
        found = _REPEAT.match(self._text, self._at)
        if found is None:
            return one
        least, most = _bounds(found)
        copies = [one, *(self._again(begin) for _ in range((most or least) - 1))]
        self._at = found.end()
        self._take("?")  # lazy or not, the same values match
        if self._at < len(self._text) and self._text[self._at] in "*+?{":
            raise PatternError("a repetition is repeated")
        if most is None:
            self._follow(copies[-1].last, copies[-1].first)
        return self._in_order(copies, least) if most != 0 else _NOTHING

    def _again(self, begin: int) -> _Part:
        self._at = begin
        return self._one()

    def _in_order(self, copies: list[_Part], required: int) -> _Part:
        whole = _NOTHING
        for number, copy in enumerate(copies):
            whole = self._then(whole, copy if number < required else copy._replace(nullable=True))
        return whole

    def _then(self, one: _Part, other: _Part) -> _Part:
        self._follow(one.last, other.first)
        return _Part(
            one.nullable and other.nullable,
            one.first | (other.first if one.nullable else 0),
            other.last | (one.last if other.nullable else 0),
        )

    def _follow(self, last: int, first: int) -> None:
        for position in _bits(last):
            self._follows[position] |= first

    def _one(self) -> _Part:
        self._read += 1
        if self._read > _MOST_POSITIONS:
            raise PatternError("its repetitions are too many")
        if self._take("("):
            return self._group()
        for kind in (_ESCAPE, _CLASS, _ORDINARY):
            if (found := kind.match(self._text, self._at)) is not None:
                self._at = found.end()
                return self._position(found[0])
        if self._take("."):
            return self._position(".")
        raise PatternError(f"{self._text[self._at : self._at + 2]} is not understood")

    def _group(self) -> _Part:
        if self._take("?") and not self._take(":"):
            raise PatternError("groups with `?` are not understood, other than `(?:`")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise PatternError("its groups are nested too deeply")
        part = self._alternatives()
        self._depth -= 1
        if not self._take(")"):
            raise PatternError("a bracket is not closed")
        return part

    def _position(self, of_one: str) -> _Part:
        if of_one.startswith("[") and _AMBIGUOUS.search(of_one):
            raise PatternError(f"{of_one} is ambiguous")
        try:
            # One character against one class: nothing is left to be tried twice.
            fits = re.compile(of_one, re.ASCII).fullmatch
        except re.error:
            raise PatternError(f"{of_one} is no class") from None
        self._fits.append(fits)
        self._follows.append(0)
        bit = 1 << (len(self._fits) - 1)
        return _Part(nullable=False, first=bit, last=bit)

    def _take(self, character: str) -> bool:
        if not self._text.startswith(character, self._at):
            return False
        self._at += 1
        return True


def _bounds(found: re.Match[str]) -> tuple[int, int | None]:
    if found[1]:
        return {"*": (0, None), "+": (1, None), "?": (0, 1)}[found[1]]
    least = int(found[2])
    if not found[3]:
        return least, least
    if found[4] is None:
        return least, None
    if int(found[4]) < least:
        raise PatternError("a repetition has its greater number first")
    return least, int(found[4])


def _bits(number: int) -> list[int]:
    """Return the positions of the bits that are set."""
    positions: list[int] = []
    while number:
        lowest = number & -number
        positions.append(lowest.bit_length() - 1)
        number ^= lowest
    return positions
