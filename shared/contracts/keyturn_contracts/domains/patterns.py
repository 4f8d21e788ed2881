"""Regular expressions of slots and fields, matched in linear time whatever is written in them.

Python's own engine tries alternatives one after the other: `(a+)+` takes it years for some values,
and patterns come from publishers, values from brands. This one follows all alternatives at once
(Glushkov's automaton, a set of positions as the bits of an integer). What it understands means the
same in Python's `re.fullmatch` with `re.ASCII`; what goes beyond (look-around, back references,
flags) is refused.
"""

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from keyturn_contracts.domains.characters import (
    LAST,
    PatternError,
    Ranges,
    meant,
    of_class,
    one_letter,
    outside,
)

_LONGEST_PATTERN = 500
_LONGEST_IN_A_SLOT = 253
_MOST_WORK = 400_000
"""Characters of a value times positions of the pattern: some 50 ms where each step is a new one."""
_MOST_POSITIONS = 400
"""`[^@\\s]{1,64}@[^@\\s]{1,255}`, an address of RFC 5321, has 320."""
_DEEPEST = 20
_MOST_ENDS = 16
_LONGEST_END = 64
_REPEAT = re.compile(r"([*+?])|\{(\d{1,4})(?:(,)(\d{1,4})?)?\}", re.ASCII)
_ESCAPE = re.compile(r"\\[dDwWsS]|\\[^A-Za-z0-9]")
_CLASS = re.compile(r"\[\^?\]?(?:[^\]\\\[]|\\[dDwWsS]|\\[^A-Za-z0-9])*\]")
_ORDINARY = re.compile(r"[^\\.\[()|*+?{^$]")


class _Part(NamedTuple):
    """A piece of an automaton: whether it matches nothing, where it begins and where it ends."""

    nullable: bool
    first: int
    last: int


_NOTHING = _Part(nullable=True, first=0, last=0)


@dataclass(frozen=True, slots=True)
class Pattern:
    """What the whole of a value must match."""

    positions: int
    """How many characters it has, each repetition counted: what reading and matching it costs."""
    is_endless: bool
    """Whether values of any length may match; of another pattern, none longer than `positions`."""
    _fits: tuple[tuple[Ranges, int], ...]
    """Which positions a character of these ranges fits."""
    _follows: tuple[tuple[int, int], ...]
    """Behind each of the former positions each of the latter ones may come."""
    _whole: _Part

    def matches_slot(self, value: str) -> bool:
        """Tell whether it does, of a value that becomes a host: none is longer than one."""
        return len(value) <= _LONGEST_IN_A_SLOT and self._matches(value)

    def matches_field(self, value: str) -> bool:
        """Tell whether it does; a value that is too long for its pattern does not.

        A key or a token may have thousands of characters.
        """
        return len(value) * self.positions <= _MOST_WORK and self._matches(value)

    def most_work(self, longest: int) -> int:
        """Return how many characters times positions a value takes at most, of so many or fewer.

        Where no repetition is endless, nothing is left to follow behind the last position.
        """
        read = longest if self.is_endless else min(longest, self.positions)
        return min(read * self.positions, _MOST_WORK)

    def begins_with(self, text: str) -> bool:
        """Tell whether everything that it matches begins so, in whichever of its alternatives."""
        possible, ends = self._whole.first, self._whole.nullable
        for character in text:
            if ends or not possible or possible & ~self._only(character):
                return False
            ends = bool(possible & self._whole.last)
            possible = self._after(possible)
        return True

    def ends(self) -> frozenset[str]:
        r"""Return texts of which everything that it matches ends in one, in small letters.

        As if a dot stood before each value, so that what follows a dot is whole labels: of
        `(?:[a-z]+\.)?example\.com` it is `.example.com`, of `[a-z]*example\.com` `example.com`.
        An end may be shorter than it could be, and is empty where a value may end in anything.
        The empty value is left aside; where nothing else matches there is no end.
        """
        found: set[str] = set()
        growing = deque([("", self._whole.last)])
        letters = [(one_letter(ranges), positions) for ranges, positions in self._fits]
        letters.append((".", self._start))
        while growing:
            text, possible = growing.popleft()
            before = None if len(text) == _LONGEST_END else _parted(letters, possible)
            if before is None or len(found) + len(growing) + len(before) > _MOST_ENDS:
                found.add(text)
                continue
            for letter, positions in before.items():
                if positions & self._start:
                    found.add(letter + text)
                else:
                    growing.append((letter + text, self._before(positions)))
        return frozenset(found)

    @property
    def _start(self) -> int:
        """The position of the dot before the whole value."""
        return 1 << self.positions

    def _before(self, fitting: int) -> int:
        before = self._start if fitting & self._whole.first else 0
        for last, first in self._follows:
            if fitting & first:
                before |= last
        return before

    def _matches(self, value: str) -> bool:
        if not value:
            return self._whole.nullable
        # A long value comes through the same few states again and again.
        fits: dict[str, int] = {}
        after: dict[int, int] = {}
        possible, fitting = self._whole.first, 0
        for character in value:
            if character not in fits:
                fits[character] = self._fitting(character)
            fitting = possible & fits[character]
            if not fitting:
                return False
            if fitting not in after:
                after[fitting] = self._after(fitting)
            possible = after[fitting]
        return bool(fitting & self._whole.last)

    def _only(self, character: str) -> int:
        """Return the positions that nothing but this character fits."""
        return next((which for one, which in self._fits if one == ((character, character),)), 0)

    def _fitting(self, character: str) -> int:
        fitting = 0
        for ranges, positions in self._fits:
            before = bisect_right(ranges, (character, LAST))
            if before and character <= ranges[before - 1][1]:
                fitting |= positions
        return fitting

    def _after(self, fitting: int) -> int:
        after = 0
        for last, first in self._follows:
            if fitting & last:
                after |= first
        return after


def read_pattern(text: str) -> Pattern:
    """Read a pattern, or raise `PatternError`, whose text says what of it is not understood.

    It takes work in the order of the pattern's positions, of which there are few hundred at most.
    """
    found = _read(text)
    if isinstance(found, str):
        raise PatternError(found)
    return found


@lru_cache(maxsize=128)
def _read(text: str) -> Pattern | str:
    """Return the pattern, or why it is none: that is worth remembering too."""
    if len(text) > _LONGEST_PATTERN:
        return f"it is longer than {_LONGEST_PATTERN} characters"
    try:
        return _Reader(text).whole()
    except PatternError as error:
        return str(error)


class _Reader:
    """Reads a pattern from left to right, and numbers the positions of its automaton."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._read = 0
        self._positions = 0
        self._is_endless = False
        self._fits: dict[Ranges, int] = {}
        self._follows: list[tuple[int, int]] = []

    def whole(self) -> Pattern:
        part = self._alternatives()
        if self._at < len(self._text):
            raise PatternError("a bracket closes that was not opened")
        fits, follows = tuple(self._fits.items()), tuple(self._follows)
        return Pattern(self._positions, self._is_endless, fits, follows, part)

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
        begin, before = self._at, self._read
        one = self._one()
        found = _REPEAT.match(self._text, self._at)
        if found is None:
            return one
        least, most = _bounds(found)
        times = max(most or least, 1)
        self._refuse_beyond(before + times * (self._read - before))
        copies = [one, *(self._again(begin) for _ in range(times - 1))]
        self._at = found.end()
        self._take("?")  # lazy or not, the same values match
        if self._at < len(self._text) and self._text[self._at] in "*+?{":
            raise PatternError("a repetition is repeated")
        if most is None:
            self._is_endless = True
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
        if last and first:
            self._follows.append((last, first))

    def _one(self) -> _Part:
        self._read += 1
        self._refuse_beyond(self._read)
        if self._take("("):
            return self._group()
        if self._take("."):
            return self._position(outside((("\n", "\n"),)))
        for kind in (_ESCAPE, _CLASS, _ORDINARY):
            if (found := kind.match(self._text, self._at)) is not None:
                self._at = found.end()
                is_class = kind is _CLASS
                return self._position(of_class(found[0]) if is_class else meant(found[0]))
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

    def _position(self, ranges: Ranges) -> _Part:
        bit = 1 << self._positions
        self._positions += 1
        self._fits[ranges] = self._fits.get(ranges, 0) | bit
        return _Part(nullable=False, first=bit, last=bit)

    def _refuse_beyond(self, read: int) -> None:
        # An empty group is no position, and is read all the same.
        if read > _MOST_POSITIONS:
            raise PatternError(f"its repetitions are too many, more than {_MOST_POSITIONS} in all")

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


def _parted(letters: Iterable[tuple[str | None, int]], possible: int) -> dict[str, int] | None:
    """Part positions by the one letter that fits each, or return None where others fit."""
    parted: dict[str, int] = {}
    for letter, positions in letters:
        if here := positions & possible:
            if letter is None:
                return None
            parted[letter] = parted.get(letter, 0) | here
    return parted
