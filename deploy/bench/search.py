"""Measures a search of the catalog as one types, among 5,000 extensions, beside a look at each."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Literal, get_args

from keyturn_contracts.catalog import SupportDetails

from deploy.bench.figures import machine, ratio, summary, write
from services.catalog.rules.shelf import Card, Shelf, Sight, Wanted
from services.catalog.rules.support import Contact

EXTENSIONS = 5000
PAGE = 50
SOUGHT = 100
"""How many of the extensions are looked for, each in every way."""
_SEED = 7
"""The same extensions and queries every time."""
_WARM_UP = 1
_WORDS = 4000
_WORDS_OF_A_DESCRIPTION = 40
_IN_EVERY_DESCRIPTION = "connects the platform with accounts of"
_SHORT_WORDS = 12
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SYLLABLES = [consonant + vowel for consonant in "bcdfghjklmnprstvwz" for vowel in "aeiou"]
_CATEGORIES = ("chat", "crm", "email", "files", "surveys", "tickets")
_SUPPORT = Contact(side="vendor", details=SupportDetails(name="Support"))

Kind = Literal["exact", "prefix", "misspelt", "description", "common_words", "short_words"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_PLAIN: tuple[Kind, ...] = ("exact", "description")
Find = Callable[[str], Sequence[str]]
"""Answers a query with the slugs of a page."""


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody types, and the extension that they mean."""

    kind: Kind
    text: str
    slug: str


def measure(output: Path | None, *, repeats: int) -> dict[str, Any]:
    """Measure, write the figures as JSON where a file is named, and return them."""
    before = machine()
    report = {
        "command": "keyturn bench search",
        "machine": before,
        **measure_searching(repeats=repeats),
    }
    if output is not None:
        write(output, report)
    return report


def measure_searching(*, repeats: int = 3) -> dict[str, Any]:
    """Return how long one search takes, in milliseconds, for each way to look for something.

    Each is a sample: a page, of what a brand is licensed for, which is everything. The plain look
    answers the whole words among them in turns: names, and words of descriptions.
    """
    cards = list(generated_cards())
    queries = list(generated_queries(cards))
    plain = [one for one in queries if one.kind in _PLAIN]
    by_index, by_looking = index_of(cards), look_at_each(cards)
    taken: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
    looking: list[float] = []
    for turn in range(_WARM_UP + repeats):
        searched = [_timed(by_index, one) for one in queries]
        looked = [_timed(by_looking, one) for one in plain]
        if turn >= _WARM_UP:
            for one, sample in zip(queries, searched, strict=True):
                taken[one.kind].append(sample)
            looking += looked
    return {
        "extensions": len(cards),
        "queries": len(queries),
        "repeats": repeats,
        **{kind: summary(samples) for kind, samples in taken.items()},
        "looking_at_each_extension": summary(looking),
        "ratio_to_looking": ratio([sample for kind in _PLAIN for sample in taken[kind]], looking),
    }


def generated_cards() -> Iterator[Card]:
    """Yield extensions with names of one to three words, no two alike, and texts of 46.

    Six of those are the same everywhere.
    """
    chance = random.Random(_SEED)  # noqa: S311  the same ones every time
    words = [_word(chance) for _ in range(_WORDS)]
    names: set[str] = set()
    while len(names) < EXTENSIONS:
        name = " ".join(chance.choices(words, k=chance.randint(1, 3))).title()
        if name in names:
            continue
        publisher = chance.choice(words)
        yield Card(
            slug=f"extension-{len(names)}",
            name=name,
            publisher=publisher,
            by=f"{publisher.title()} Inc.",
            party="third",
            category=chance.choice(_CATEGORIES),
            description=" ".join(
                [_IN_EVERY_DESCRIPTION, *chance.choices(words, k=_WORDS_OF_A_DESCRIPTION)]
            ),
            is_preview=False,
            support=_SUPPORT,
            steps=(),
            version=1,
            state="published",
        )
        names.add(name)


def generated_queries(cards: Sequence[Card]) -> Iterator[Query]:
    """Yield what is typed for some of them.

    A name, its beginnings, a slip in it, a text's word; words that all texts have, alone and with
    one that few have; single letters, and twelve beginnings of two letters.
    """
    chance = random.Random(_SEED)  # noqa: S311  the same ones every time
    for card in chance.sample(cards, SOUGHT):
        name = card.name.casefold()
        yield Query("exact", name, card.slug)
        for end in range(1, len(name)):
            yield Query("prefix", name[:end], card.slug)
        yield Query("misspelt", misspell(name, chance), card.slug)
        words = card.description.removeprefix(_IN_EVERY_DESCRIPTION).split()
        word = chance.choice(words)
        yield Query("description", word, card.slug)
        yield Query("common_words", _IN_EVERY_DESCRIPTION, card.slug)
        yield Query("common_words", f"{_IN_EVERY_DESCRIPTION} {word}", card.slug)
        yield Query("short_words", " ".join(one[0] for one in name.split()), card.slug)
        yield Query("short_words", " ".join(one[:2] for one in words[:_SHORT_WORDS]), card.slug)


def misspell(name: str, chance: random.Random) -> str:
    """Return the name with one letter of its longest word missing, doubled, wrong or swapped."""
    word = max(name.split(), key=len)
    at = chance.randrange(len(word) - 1)
    before, letter, after = word[:at], word[at], word[at + 1 :]
    wrong = chance.choice(
        (
            before + after,
            before + letter + letter + after,
            before + chance.choice([one for one in _LETTERS if one != letter]) + after,
            before + after[0] + letter + after[1:],
        )
    )
    return name.replace(word, wrong, 1)


def index_of(cards: Sequence[Card]) -> Find:
    """Return the search that the catalog answers with."""
    shelf = Shelf()
    for card in cards:
        shelf.put(card)
    sight = Sight(covers=frozenset(card.slug for card in cards), installed=frozenset())

    def find(text: str) -> list[str]:
        found = shelf.extensions(Wanted(search=text), sight, None, PAGE)
        return [card.slug for _, card in found]

    return find


def look_at_each(cards: Sequence[Card]) -> Find:
    """Return the plain search: what has the text somewhere, names before all else."""
    texts = [
        (card.slug, card.name.casefold(), f"{card.by} {card.description}".casefold())
        for card in cards
    ]

    def find(text: str) -> list[str]:
        named = [slug for slug, name, _ in texts if text in name]
        told = [slug for slug, name, more in texts if text in more and text not in name]
        return [*named, *told][:PAGE]

    return find


def figures_of(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table for people."""
    for kind in (*KINDS, "looking_at_each_extension"):
        yield {"what": kind.replace("_", " "), **report[kind]}


def _word(chance: random.Random) -> str:
    return "".join(chance.choices(_SYLLABLES, k=chance.randint(2, 4)))


def _timed(find: Find, query: Query) -> float:
    began = perf_counter_ns()
    found = find(query.text)
    taken = (perf_counter_ns() - began) / 1_000_000
    # So many may begin alike that what is meant is on a later page.
    if query.slug not in found and len(found) < PAGE:
        raise AssertionError(f"{query.text} did not find {query.slug}: its time says nothing.")
    return taken
