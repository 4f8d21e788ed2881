"""Search as one types: what a few words mean, the best first; in memory and pure."""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from sys import intern
from typing import Generic, TypeAlias, TypeVar

D = TypeVar("D", bound=Hashable)

Having: TypeAlias = list[AbstractSet[D]]
"""For each of some words, what has it."""

MOST_WORDS = 8
"""How many words of a query count."""
_SHORTEST_BESIDE_NAMES = 2
"""With one letter some word of nearly every text begins."""
_SHORTEST_MISSPELT = 3
"""A shorter word with one letter wrong could be any other."""
_SHORTEST_BEGINNING = 5
"""Likewise of the beginning of one."""
_LONGEST = 40
_LAST = "\U0010ffff"
_WORD = re.compile(r"[^\W_]+")

_NAME, _LABEL, _TEXT = range(3)
_FIELDS = range(3)

_IS_THE_NAME = 0
_BEGINS_THE_NAME = 1
_BEST_OF_WORDS = 2
_NEARLY_BEGINS_THE_NAME = 6
_DISTANCES = (0, 1, 2, 3, 5, 6, 7)
"""Of a word: it is one of the name; begins one of the name, of the labels, of the text; is a
misspelt one of the name, of the labels, of the text."""


def words_of(text: str) -> list[str]:
    """Return its words: runs of letters and digits, whatever their case and accents.

    Of a long one its first letters: what nobody could type must not fill the index.
    """
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    found = _WORD.findall("".join(one for one in plain if not unicodedata.combining(one)))
    return [one[:_LONGEST] for one in found]


class Index(Generic[D]):
    """Finds things by the words of a name, of labels and of a text.

    Every word of a query must be found: whole, or as the beginning of a word, or with one letter
    wrong, missing, too many, or two that changed places. A misspelt word is found while three
    letters are left of it, the beginning of a misspelt one from five letters on. Of the name as a
    whole a space may be the letter that is wrong. A single letter is looked for in names alone.
    """

    def __init__(self) -> None:
        self._holds: dict[D, tuple[str, tuple[tuple[str, ...], ...]]] = {}
        self._names = _Vocabulary[D](fields=1)
        self._words = _Vocabulary[D](fields=len(_FIELDS))

    def put(
        self, thing: D, *, name: str, labels: Iterable[str] = (), texts: Iterable[str] = ()
    ) -> None:
        """Have it found by these words from now on, and by no other."""
        self.drop(thing)
        whole = " ".join(words_of(name))
        fields = (_each_once([name]), _each_once(labels), _each_once(texts))
        self._holds[thing] = whole, fields
        self._names.put(whole, 0, thing)
        for field, words in enumerate(fields):
            for word in words:
                self._words.put(word, field, thing)

    def drop(self, thing: D) -> None:
        """Have it found no more."""
        whole, fields = self._holds.pop(thing, ("", ()))
        self._names.drop(whole, 0, thing)
        for field, words in enumerate(fields):
            for word in words:
                self._words.drop(word, field, thing)

    def find(self, query: str) -> dict[D, int]:
        """Return what the query means, each with its rank: the lowest is the best.

        First what has exactly this name; then what has a name that begins so; then by the words,
        those of the name before labels and those before the text, misspelt ones last.
        """
        asked = words_of(query)[:MOST_WORDS]
        if not asked:
            return {}
        found: dict[D, int] = {}
        for rank, things in self._having_all(dict.fromkeys(asked)).items():
            found |= dict.fromkeys(things, rank)
        whole = " ".join(asked)
        [nearly], [begun] = self._names.near(whole), self._names.beginning_with(whole)
        for thing in _union(nearly):
            found[thing] = min(found.get(thing, _NEARLY_BEGINS_THE_NAME), _NEARLY_BEGINS_THE_NAME)
        found |= dict.fromkeys(_union(begun), _BEGINS_THE_NAME)
        found |= dict.fromkeys(self._names.exactly(whole, 0), _IS_THE_NAME)
        return found

    def _having_all(self, words: Iterable[str]) -> dict[int, AbstractSet[D]]:
        """Return what has all of these words, by how far away they are together."""
        of_each: list[list[Having[D]]] = []
        for word in words:
            having = self._having(word)
            if not any(map(any, having)):
                return {}
            of_each.append(having)
        # What few have leaves little to look up of what many have.
        of_each.sort(key=lambda having: sum(len(things) for one in having for things in one))
        left: dict[int, AbstractSet[D]] | None = None
        for having in of_each:
            left = _by_distance(having) if left is None else _narrowed(left, having)
        return {rank + _BEST_OF_WORDS: things for rank, things in (left or {}).items()}

    def _having(self, word: str) -> list[Having[D]]:
        """Return what has this word, for each distance."""
        is_one_letter = len(word) < _SHORTEST_BESIDE_NAMES
        begun = self._words.beginning_with(word, fields=1 if is_one_letter else len(_FIELDS))
        none: Having[D] = []
        begun += [none] * (len(_FIELDS) - len(begun))
        return [[self._words.exactly(word, _NAME)], *begun, *self._words.near(word)]


def _by_distance(having: Sequence[Having[D]]) -> dict[int, AbstractSet[D]]:
    found: dict[int, AbstractSet[D]] = {}
    seen = set[D]()
    for things, distance in zip(having, _DISTANCES, strict=True):
        if here := _union(things) - seen:
            found[distance] = here
            seen |= here
    return found


def _narrowed(
    found: Mapping[int, AbstractSet[D]], having: Sequence[Having[D]]
) -> dict[int, AbstractSet[D]]:
    """Return what of this has another word too, each at the distance of both."""
    narrowed: dict[int, AbstractSet[D]] = {}
    by_distance = [
        (_union(one), distance) for one, distance in zip(having, _DISTANCES, strict=True) if one
    ]
    for before, things in found.items():
        left = things
        for here, distance in by_distance:
            # Nothing is copied of a word that all of them have.
            both = left if left <= here else left & here
            if both:
                rank = before + distance
                narrowed[rank] = narrowed[rank] | both if rank in narrowed else both
                left = left - both
            if not left:
                break
    return narrowed


def _union(sets: Having[D]) -> AbstractSet[D]:
    """Return what is in any of the sets: where there is one, that itself."""
    return sets[0] if len(sets) == 1 else set[D]().union(*sets)


def _each_once(texts: Iterable[str]) -> tuple[str, ...]:
    # Thousands of descriptions have most of their words in common: each is kept once for all.
    return tuple({intern(word): None for one in texts for word in words_of(one)})


class _Vocabulary(Generic[D]):
    """The words there are, and what has each in which field."""

    def __init__(self, *, fields: int) -> None:
        self._having: list[dict[str, set[D]]] = [{} for _ in range(fields)]
        self._sorted: list[str] = []
        self._is_sorted = True
        self._letters_after: dict[str, str] = {}
        """For each beginning of a word, and each word, the letters that may follow it."""

    def put(self, word: str, field: int, thing: D) -> None:
        having = self._having[field]
        if word in having:
            having[word].add(thing)
            return
        if not any(word in one for one in self._having):
            self._sorted.append(word)
            self._is_sorted = False
            after = self._letters_after
            for end, letter in enumerate(word):
                if letter not in after.get(word[:end], ""):
                    after[word[:end]] = after.get(word[:end], "") + letter
            after.setdefault(word, "")
        having[word] = {thing}

    def drop(self, word: str, field: int, thing: D) -> None:
        # The word itself stays: it finds nothing, and somebody is likely to use it again.
        self._having[field].get(word, set[D]()).discard(thing)

    def exactly(self, word: str, field: int) -> set[D]:
        return self._having[field].get(word, set[D]())

    def beginning_with(self, beginning: str, *, fields: int | None = None) -> list[Having[D]]:
        """Return, for each of the first fields, what has a word that begins so."""
        return self._having_any(self._from(beginning), fields)

    def near(self, word: str) -> list[Having[D]]:
        """Return, for each field, what has a word of which this is a misspelling."""
        if len(word) < _SHORTEST_MISSPELT:
            return self._having_any(())
        meant = {one for one in self._one_away(word) if one in self._letters_after}
        if len(word) >= _SHORTEST_BEGINNING:
            return self._having_any({whole for one in meant for whole in self._from(one)})
        return self._having_any(meant)

    def _from(self, beginning: str) -> Sequence[str]:
        if beginning not in self._letters_after:
            return ()
        if not self._is_sorted:
            self._sorted.sort()
            self._is_sorted = True
        first = bisect_left(self._sorted, beginning)
        return self._sorted[first : bisect_left(self._sorted, beginning + _LAST, first)]

    def _having_any(self, words: Collection[str], fields: int | None = None) -> list[Having[D]]:
        return [
            [things for word in words if (things := having.get(word))]
            for having in self._having[:fields]
        ]

    def _one_away(self, word: str) -> Iterator[str]:
        """Yield every text that one slip may have turned into `word`, as far as words go on."""
        for place, letter in enumerate(word):
            before, after = word[:place], word[place + 1 :]
            if before not in self._letters_after:
                return
            yield before + after
            if after:
                yield before + after[0] + letter + after[1:]
            for other in self._letters_after[before]:
                yield before + other + after
                yield before + other + letter + after
