"""What widens and what narrows, and what stays in force of what was accepted."""

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from keyturn_contracts.catalog import FieldSpec
from keyturn_contracts.domains import read_rule

from services.installation.rules.difference import Difference, compare, narrowed, what_changed
from services.installation.rules.review import (
    MOST_DECLARED,
    Review,
    ReviewedDomain,
    digest_of,
)
from tests.installation import given
from tests.installation.given import API, CONTACTS, SERVER, domain, permission, review

PICTURES = domain("pictures.example.org")
BELOW = domain("*.example.org")
TICKETS = permission("tickets", "It answers them.")
OTHER_SLOT = SERVER.model_copy(update={"slots": {"host": ".*", "port": given.PORT}})
WIDE = domain("*.amazonaws.com", wide_because="Each region has a bucket.")
OTHER_WIDE = WIDE.model_copy(update={"wide_because": "It is simpler."})
BLOCKED = domain("*.amazonaws.com")
LATER_TERMS = given.TERMS.model_copy(update={"version": "2026-02"})
MOVED_POLICY = given.PRIVACY.model_copy(update={"url": "https://example.com/other"})

WIDENS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"domains": (API, SERVER, PICTURES)}, "It may connect to pictures.example.org: Why"),
    ({"domains": (PICTURES,)}, {"domains": (BELOW,)}, "It may connect to *.example.org: Why"),
    ({"domains": (BELOW,)}, {"domains": (domain("example.org"),)}, "It may connect to example.org"),
    (
        {"domains": (BELOW,)},
        {"domains": (domain("a.example.org:8443"),)},
        "It may connect to a.example.org:8443",
    ),
    ({"domains": (API,)}, {}, "It may connect to {host}:{port}: The brand's"),
    ({}, {"domains": (API, OTHER_SLOT)}, "What accounts may fill into {host}:{port} is different."),
    ({"domains": (WIDE,)}, {"domains": (OTHER_WIDE,)}, "Below *.amazonaws.com several owners live"),
    ({"domains": (BLOCKED,)}, {"domains": (WIDE,)}, "It may connect to *.amazonaws.com"),
    ({}, {"permissions": (CONTACTS, TICKETS)}, "It may read tickets: It answers them."),
    (
        {},
        {"permissions": (permission("contacts", "To sell them."),)},
        "It reads contacts for another purpose: To sell them.",
    ),
    ({}, {"terms": LATER_TERMS}, "Its terms of use changed: version 2026-02, https://example.com"),
    ({}, {"privacy_policy": MOVED_POLICY}, "Its privacy policy changed: version 3, https://exampl"),
    ({}, {"terms": None}, "It has no terms of use any more."),
    ({"additional_domains": given.FIXED}, {}, "Your brand may add domains of its own."),
    ({"preview": False}, {}, "It is a preview now"),
    ({}, {"by": "Another Ltd"}, "It is published by Another Ltd, and no longer by Loud-Mail Ltd."),
    ({"party": "first"}, {}, "It is no longer the platform's own: Loud-Mail Ltd publishes it."),
]
NARROWS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"domains": (SERVER,)}, "It may no longer connect to api.example.com."),
    ({}, {"domains": (API,)}, "It may no longer connect to {host}:{port}."),
    ({"domains": (BELOW,)}, {"domains": (PICTURES,)}, "It may no longer connect to *.example.org."),
    ({"domains": (WIDE,)}, {"domains": (BLOCKED,)}, "It may no longer connect to *.amazonaws.com."),
    ({}, {"permissions": ()}, "It may no longer read contacts."),
    ({}, {"additional_domains": given.FIXED}, "Your brand may no longer add domains of its own"),
    ({}, {"preview": False}, "It is certified now"),
]


@pytest.mark.parametrize(("before", "after", "sentence"), WIDENS)
def test_what_asks_for_more_widens(
    before: dict[str, Any], after: dict[str, Any], sentence: str
) -> None:
    found = compare(review(**before), review(2, **after))

    assert any(one.startswith(sentence) for one in found.widens), found


@pytest.mark.parametrize(("before", "after", "sentence"), NARROWS)
def test_what_asks_for_less_only_narrows(
    before: dict[str, Any], after: dict[str, Any], sentence: str
) -> None:
    found = compare(review(**before), review(2, **after))

    assert found.widens == ()
    assert [one for one in found.narrows if one.startswith(sentence)], found


@pytest.mark.parametrize(
    "after",
    [
        {"name": "Louder Mail"},
        {"domains": (API.model_copy(update={"purpose": "In other words."}), SERVER)},
        {"domains": (SERVER, API)},
        {"description": "In other words."},
    ],
)
def test_what_reaches_and_reads_the_same_is_no_difference(after: dict[str, Any]) -> None:
    assert compare(review(), review(2, **after)) == Difference()


def test_a_slot_whose_template_changed_widens() -> None:
    slots = (domain("{server}", slots={"server": given.HOST}),)
    before = review(domains=slots, derived=(given.derived("server", "{host}"),))
    after = review(2, domains=slots, derived=(given.derived("server", "{other}"),))

    assert compare(before, after).widens == ("What accounts may fill into {server} is different.",)


@pytest.mark.parametrize("name", ["server", "other"])
def test_what_fills_a_slot_where_a_setting_is_left_out_is_accepted_too(name: str) -> None:
    """Directly, or by a value that is made of settings."""
    parts: dict[str, Any] = {
        "domains": (
            domain("{server}", slots={"server": given.HOST}),
            domain("{made}", slots={"made": given.HOST}),
        ),
        "derived": (given.derived("made", "{other}"),),
    }
    fields = {one: FieldSpec(name=one, title=one, required=False) for one in ("server", "other")}
    before = review(settings=tuple(fields.values()), **parts)
    fields[name] = fields[name].model_copy(update={"default": "elsewhere.example.net"})
    after = review(2, settings=tuple(fields.values()), **parts)

    found = compare(before, after)

    assert len(found.widens) == 1
    assert digest_of(before.model_copy(update={"version": 2})) != digest_of(after)


def test_many_differences_are_counted_beyond_the_first_and_long_ones_shortened() -> None:
    many = tuple(domain(f"a{one}.example.com") for one in range(150))
    long = review(2, domains=(domain("a.example.com", wide_because="x" * 900),))

    found = compare(review(domains=()), review(2, domains=many)).widens

    assert len(found) == 50
    assert found[-1] == "And 101 more differences."
    assert max(map(len, compare(review(domains=()), long).widens)) == 300


def test_whoever_looked_at_another_review_is_told_at_least_one_sentence() -> None:
    assert what_changed(review(), review(2)) == (
        "Version 2 is here now; what you accept is as in 1.",
    )
    assert what_changed(review(), review(name="Louder")) == (
        "It is worded differently; what you accept is the same.",
    )
    assert what_changed(review(), review(2, permissions=())) == ("It may no longer read contacts.",)


def test_of_a_version_that_does_both_only_the_narrowing_holds() -> None:
    accepted = review(domains=(API, BELOW, SERVER), permissions=(CONTACTS, TICKETS))
    newest = review(
        2,
        domains=(PICTURES, domain("new.example.net"), OTHER_SLOT),
        permissions=(permission("contacts", "Another purpose."), permission("users")),
        additional_domains=given.FIXED,
        preview=False,
    )

    left = narrowed(accepted, newest)

    assert [one.rule for one in left.domains] == ["pictures.example.org", "{host}:{port}"]
    assert left.domains[1].slots == SERVER.slots
    assert [(one.data, one.purpose) for one in left.permissions] == [
        (CONTACTS.data, CONTACTS.purpose)
    ]
    assert not left.may_add_domains
    assert not left.is_preview
    assert left.version == 1


def test_what_is_refused_by_now_is_blocked_in_what_is_left_too() -> None:
    [left] = narrowed(review(domains=(WIDE,)), review(2, domains=(BLOCKED,))).domains

    assert not left.is_reached


def test_a_host_that_any_setting_names_is_said_to_be_wide() -> None:
    bound = SERVER.model_copy(update={"slots": {"host": "[a-z]+[.]example[.]com", "port": "25"}})

    new = compare(review(domains=()), review(2)).widens
    wider = compare(review(domains=(bound,)), review(2, domains=(OTHER_SLOT,))).widens
    same = compare(review(domains=(SERVER,)), review(2, domains=(OTHER_SLOT,))).widens

    said = "{host}:{port} is any host that an account's settings name."
    assert new[2] == said
    assert wider == ("What accounts may fill into {host}:{port} is different.", said)
    assert same == wider[:1]


def test_what_was_accepted_before_it_was_called_wide_needs_no_new_consent() -> None:
    """What is on record says nothing of it; what it reaches is the same."""
    [on_record] = review(domains=(SERVER,)).domains
    before = review().model_copy(update={"domains": (on_record.model_copy(update={"wide": None}),)})

    assert compare(before, review(2, domains=(SERVER,))) == Difference()


def test_what_takes_a_wildcards_place_is_no_more_than_a_manifest_may_have() -> None:
    """Otherwise each version that narrows one of many wildcards adds hosts, until no event fits."""
    wide = [domain(f"*.z{one}.example.com") for one in range(2)]
    hosts = [
        [domain(f"a{number}.z{one}.example.com") for number in range(MOST_DECLARED - 1)]
        for one in range(2)
    ]
    first = narrowed(review(domains=(*wide,)), review(2, domains=(wide[1], *hosts[0])))
    newest = review(3, domains=(wide[0], *hosts[1]))

    left = narrowed(first, newest)

    assert len(first.domains) == MOST_DECLARED
    assert len(left.domains) == MOST_DECLARED
    assert narrowed(left, newest) == left
    assert len(compare(left, newest).widens) > 1


def test_of_what_is_on_record_no_more_is_compared_than_a_manifest_may_have() -> None:
    [one] = review(domains=(API,)).domains
    many = tuple(
        one.model_copy(update={"rule": f"a{number}.example.com"}) for number in range(5000)
    )
    on_record = review().model_copy(update={"domains": many})

    assert compare(review(domains=()), on_record).widens[-1].startswith("And 25")
    assert len(narrowed(on_record, on_record).domains) == MOST_DECLARED


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a{}.example.com", "b{}.example.com"),
        ("*.a{}.example.com", "b.a{}.example.com"),
        ("b.a{}.example.com", "*.a{}.example.com"),
        ("*.a{}.example.com", "b{}.example.com"),
    ],
)
def test_twice_as_many_domains_take_twice_as_many_steps(before: str, after: str) -> None:
    """All compared with all would be four times as many."""
    some, twice = (
        _calls(
            review(domains=tuple(domain(before.format(one)) for one in range(many))),
            review(2, domains=tuple(domain(after.format(one)) for one in range(many))),
        )
        for many in (MOST_DECLARED // 2, MOST_DECLARED)
    )

    assert twice < 2.2 * some


def _calls(before: Review, after: Review) -> int:
    """Return how many calls a comparison and a narrowing make; what is kept is kept already."""
    count = 0

    def called(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    compare(before, after)
    narrowed(before, after)
    profiling = sys.getprofile()
    sys.setprofile(called)
    try:
        compare(before, after)
        narrowed(before, after)
    finally:
        sys.setprofile(profiling)
    return count


RULES = ("example.org", "*.example.org", "a.example.org", "*.a.example.org", "example.net:8443")
DATA = ("contacts", "tickets", "users")


@st.composite
def reviews(draw: st.DrawFn) -> Review:
    rules = draw(st.sets(st.sampled_from(RULES)))
    slots = draw(st.sampled_from([(), (SERVER,), (OTHER_SLOT,)]))
    data = draw(st.sets(st.sampled_from(DATA)))
    return review(
        draw(st.integers(1, 3)),
        domains=(*map(domain, sorted(rules)), *slots),
        permissions=tuple(map(permission, sorted(data))),
        additional_domains=draw(st.sampled_from([given.MAY_ADD, given.FIXED])),
        preview=draw(st.booleans()),
    )


@for_all(reviews(), reviews())
def test_narrowing_never_goes_beyond_what_was_accepted_and_settles(
    accepted: Review, newest: Review
) -> None:
    left = narrowed(accepted, newest)

    assert compare(accepted, left).widens == ()
    assert narrowed(left, newest) == left
    assert compare(left, newest).narrows == ()
    assert compare(left, newest).widens == compare(accepted, newest).widens


@for_all(reviews(), reviews())
def test_what_is_left_is_what_both_reach(accepted: Review, newest: Review) -> None:
    """By the definition: each rule of one, as far as a rule of the other covers it."""

    def covered(one: ReviewedDomain, by: Review) -> bool:
        rule = read_rule(one.rule)
        return any(read_rule(other.rule).covers(rule) for other in by.domains if other.is_reached)

    left = narrowed(accepted, newest)
    both = {
        *(one.rule for one in accepted.domains if one.is_reached and covered(one, newest)),
        *(one.rule for one in newest.domains if one.is_reached and covered(one, accepted)),
    }
    known = {one.rule for one in accepted.domains}
    new = [
        one.rule
        for one in newest.domains
        if (one.slots and one.rule not in known) or not (one.slots or covered(one, accepted))
    ]
    said = [one for one in compare(accepted, newest).widens if one.startswith("It may connect")]

    assert {one.rule for one in left.domains if one.is_reached} <= both
    assert all(covered(one, left) for one in newest.domains if one.rule in both)
    assert said == [f"It may connect to {rule}: {_purpose(rule)}" for rule in new]


def _purpose(rule: str) -> str:
    return SERVER.purpose if rule == SERVER.rule else domain(rule).purpose
