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
    assert problem_of_size(manifest) is None
    assert problem_of_size(manifest.model_copy(update={"domains": manifest.domains * 10})) is None
    assert (patterns._read.cache_info().maxsize or 0) >= MOST_PATTERNS  # pyright: ignore[reportPrivateUsage]  none is read twice


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
    assert problem_of_size(slots(300, 1, "[a-z]{63}")) is None


def slots(domains: int, each: int, pattern: str) -> Manifest:
    """Return a manifest of domains that have so many slots each, all of one pattern."""
    names = [f"s{one}" for one in range(each)]
    rules = [
        {
            "rule": ".".join([*(f"{{{name}}}" for name in names), f"a{one}.example.com"]),
            "purpose": "One.",
            "slots": dict.fromkeys(names, pattern),
        }
        for one in range(domains)
    ]
    return relay(domains=rules)


@pytest.mark.parametrize(
    ("domains", "each", "pattern"),
    [
        (300, 9, "[a-z]{1,250}"),
        (300, 9, "[a-z]{1,63}"),
        (300, 1, "[a-z]{1,250}"),
        (300, 1, "(?:[ab]*a[ab]{16})+"),
        (13, 1, "[ab]*a[ab]{390}"),
    ],
)
def test_a_pattern_counts_as_often_as_it_is_filled(domains: int, each: int, pattern: str) -> None:
    [said] = problems_of(slots(domains, each, pattern))

    assert said.startswith("domains: filling all their slots is too much work")


@pytest.mark.parametrize(
    ("domains", "each", "pattern"),
    [
        (300, 1, "[a-z0-9-]{1,63}"),
        (300, 9, "[a-z0-9-]+"),
        (15, 1, "[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"),
        (12, 1, "[ab]*a[ab]{390}"),
    ],
)
def test_many_slots_of_little_work_are_welcome(domains: int, each: int, pattern: str) -> None:
    assert problem_of_size(slots(domains, each, pattern)) is None


def test_settings_count_as_often_as_the_pattern_is_there() -> None:
    def of(number: int) -> str | None:
        return problem_of_size(relay(settings=settings(number, pattern="[ab]*a[ab]{198}")))

    assert of(3) is None
    assert "all that an account is given is too much work" in (of(4) or "")


def test_credential_fields_count_with_the_settings_of_their_account() -> None:
    def of(settings_: int, fields: int, schemes: int) -> str | None:
        secret = [{**one, "secret": True} for one in settings(fields, pattern="[ab]*a[ab]{8}")]
        scheme = {**RELAY.schemes[0].model_dump(), "fields": secret}
        return problem_of_size(
            relay(
                settings=settings(settings_, pattern="[ab]*a[ab]{198}"),
                schemes=[{**scheme, "id": f"s{one}"} for one in range(schemes)],
            )
        )

    assert of(0, 3, 20) is None
    assert of(2, 1, 20) is None
    for too_much in (of(0, 4, 1), of(2, 2, 1)):
        assert "all that an account is given is too much work" in (too_much or "")


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
    """Return how many patterns were read so far; one that was read lately is remembered."""
    problem_of_size(RELAY)  # what the manifests of these tests have in common is among them
    return patterns._read.cache_info().misses  # pyright: ignore[reportPrivateUsage]  it is what is counted
