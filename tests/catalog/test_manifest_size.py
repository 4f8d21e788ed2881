"""What is too much in a manifest: refused before any of it is worked through."""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

import pytest
from keyturn_contracts.catalog import Manifest
from keyturn_contracts.domains import patterns
from keyturn_contracts.domains.patterns import read_pattern
from keyturn_contracts.message import Part
from pydantic import BaseModel, ValidationError

from services.catalog.rules.manifest import problems_of
from services.catalog.rules.manifest.size import (
    MOST_CHECKED,
    MOST_PATTERNS,
    MOST_POSITIONS,
    problem_of_size,
)
from tests.catalog.given import RELAY
from tests.catalog.manifests import ALL

LARGEST = 390
"""Positions of one pattern, about as many as one may have."""


def settings(number: int, **field: Any) -> list[dict[str, Any]]:
    """Return settings that nobody has to give; `{}` in a field's text stands for their number."""
    return [
        {"title": "T", "required": False, "name": f"s{one}"}
        | {name: text.replace("{}", str(one)) for name, text in field.items()}
        for one in range(number)
    ]


def relay(**changes: Any) -> Manifest:
    return Manifest.model_validate({**RELAY.model_dump(mode="json"), **changes})


def constrained(kind: type[BaseModel], place: str = "Manifest") -> Iterator[tuple[str, Any, bool]]:
    """Yield each list, mapping and text of a part, and of its parts, and whether it has a bound."""
    for name, field in kind.model_fields.items():
        yield from inside(f"{place}.{name}", field.annotation, field.metadata)


def inside(place: str, kind: Any, metadata: Any = ()) -> Iterator[tuple[str, Any, bool]]:
    bounds = [one for one in metadata for it in (one, *getattr(one, "metadata", ())) if bounds_(it)]
    if hasattr(kind, "__metadata__"):
        yield from inside(place, get_args(kind)[0], (*metadata, *kind.__metadata__))
        return
    if kind is str or get_origin(kind) in {tuple, dict}:
        yield place, kind, bool(bounds)
    if isinstance(kind, type) and issubclass(kind, Part):
        yield from constrained(kind, f"{place}:{kind.__name__}")
    for one in get_args(kind):
        yield from inside(f"{place}[]", one)


def bounds_(one: object) -> bool:
    return getattr(one, "max_length", None) is not None or getattr(one, "pattern", None) is not None


def test_every_list_mapping_and_text_of_a_manifest_has_a_bound() -> None:
    found = list(constrained(Manifest))

    assert len(found) > 150
    assert [place for place, _, is_bounded in found if not is_bounded] == []


@pytest.mark.parametrize("slug", sorted(ALL))
def test_what_is_shipped_is_far_from_too_much(slug: str) -> None:
    manifest = ALL[slug]
    fields = [*manifest.settings, *(one for scheme in manifest.schemes for one in scheme.fields)]
    texts = {one.pattern for one in fields if one.pattern is not None}
    texts |= {one for domain in manifest.domains for one in domain.slots.values()}

    assert 3 * len(texts) <= MOST_PATTERNS
    assert 3 * sum(read_pattern(one).positions for one in texts) <= MOST_POSITIONS


def test_a_manifest_has_so_many_domains_and_no_more() -> None:
    many = [{"rule": f"a{one}.example.com", "purpose": "One of many."} for one in range(301)]

    assert len(relay(domains=many[:300]).domains) == 300
    with pytest.raises(ValidationError, match="at most 300 items"):
        relay(domains=many)


LARGE = "s{}[a-z]{388}"
"""With 390 positions; the number tells them apart."""


def test_patterns_have_so_many_positions_together_and_no_more() -> None:
    def of(number: int) -> str | None:
        return problem_of_size(relay(settings=settings(number, pattern=LARGE)))

    assert of(9) is None
    assert "together they have more than" in (of(10) or "")


def test_the_same_pattern_everywhere_is_one() -> None:
    slots = [
        {"rule": f"{{host}}.a{one}.example.com", "purpose": "One.", "slots": {"host": "[a-z]{63}"}}
        for one in range(300)
    ]

    assert problem_of_size(relay(domains=slots)) is None


def test_so_many_patterns_are_refused_before_one_is_read() -> None:
    fields = [{**one, "secret": True} for one in settings(25, pattern="f{}[a-z]{388}")]
    schemes = [{**RELAY.schemes[0].model_dump(), "id": f"s{one}"} for one in range(20)]
    for number, scheme in enumerate(schemes):
        scheme["fields"] = [{**one, "pattern": f"{one['pattern']}{number}"} for one in fields]
    hostile = relay(settings=settings(40, pattern=LARGE), schemes=schemes)
    read = reads()

    problems = problems_of(hostile)

    assert len(problems) == 1
    assert "there are 542 of them" in problems[0]
    assert reads() == read


def test_no_pattern_is_read_beyond_what_all_may_have() -> None:
    hostile = relay(settings=settings(40, pattern=f"own-{LARGE}"))
    read = reads()

    problems = problems_of(hostile)

    assert len(problems) == 1
    assert "together they have more than" in problems[0]
    assert reads() - read <= MOST_POSITIONS // LARGEST + 1


def test_what_is_no_pattern_is_read_once() -> None:
    broken = relay(settings=settings(40, pattern="(nobody-else-{}"), schemes=[])
    read = reads()

    first, second = problems_of(broken), problems_of(broken)

    assert first == second
    assert len(first) >= 40
    assert reads() - read == 40


def test_defaults_and_examples_are_not_matched_where_that_is_too_much() -> None:
    long = {"default": "a" * 1000, "example": "a" * 1000}

    assert 2 * 2000 * 40 <= MOST_CHECKED < 2 * 2000 * 60
    assert problem_of_size(relay(settings=settings(2, pattern="[a-z]{40}", **long))) is None
    [said] = problems_of(relay(settings=settings(2, pattern="[a-z]{60}", **long)))
    assert "the defaults and examples are too long" in said


def test_no_more_than_a_hundred_problems_are_said() -> None:
    sources = ["a friend"] * 30
    steps = [
        {"id": f"s{one}", "kind": "task", "name": "S", "description": "D.", "sources": sources}
        for one in range(100)
    ]

    assert len(problems_of(relay(steps=steps))) == 100


def reads() -> int:
    """Return how many patterns were read so far; one that was read before is remembered."""
    return patterns._read.cache_info().misses  # pyright: ignore[reportPrivateUsage]  it is what is counted
