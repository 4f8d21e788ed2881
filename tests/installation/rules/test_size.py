"""However much there is of everything, what is told of an installation fits a message."""

from typing import Any

import pytest
from keyturn_contracts.catalog import DerivedSetting, DomainRule, LegalDocument
from keyturn_contracts.installation import MAX_ADDED, MAX_HOSTS, InstallationChanged
from keyturn_contracts.message import MAX_MESSAGE_BYTES

from services.installation.rules.difference import narrowed
from services.installation.rules.domain_list import decide_addition
from services.installation.rules.following import Facts, follow
from services.installation.rules.installation import with_hosts
from services.installation.rules.reach import Settings
from services.installation.rules.review import (
    MOST_BYTES,
    MOST_DECLARED,
    Offer,
    Review,
    review_of,
)
from shared.decisions import Applied
from tests.installation import given
from tests.installation.given import NOON, add, domain, review
from tests.installation.rules.on_desk import POLICY, asked, desk, installation

LABEL = "x" * 60
LONG = f"{LABEL}.{LABEL}.{LABEL}.example.com"
OWNER = ".example.com"
FIFTY = range(50)
ESCAPED = "\x01"
"""What takes six bytes in JSON."""
EMOJI = "\N{FACE WITH TEARS OF JOY}"


def on_record(version: int = 1, **changes: Any) -> Review:
    """Return the review of a manifest from before anything bounded one."""
    return review_of(given.manifest().model_copy(update=changes), version)


def long_name(one: int, length: int) -> str:
    """Return a name of this length, another one for each number."""
    labels = f"n{one:04}." + f"{LABEL}." * 4
    return labels[: length - len(OWNER) - 2] + f"xx{OWNER}"


PLAIN = [domain(long_name(one, 253)) for one in range(MOST_DECLARED)]
FILLED = [
    domain(f"{{host}}.{long_name(one, 150)}", slots={"host": f"[a-z{EMOJI}]+|{EMOJI * 81}"})
    for one in range(MOST_DECLARED)
]
MADE = [domain(f"{{made}}.d{one}{OWNER}", slots={"made": "[a-z]+"}) for one in range(MOST_DECLARED)]


@pytest.mark.parametrize(
    ("declared", "derived"),
    [
        (PLAIN, ()),
        (FILLED, ()),
        (MADE, (given.derived("made", f"{{host}}{EMOJI * 121}"),)),
        (MADE, (given.derived("made", f"{{host}}{ESCAPED * 80}"),)),
    ],
    ids=["names", "patterns", "templates", "templates that JSON escapes"],
)
def test_the_largest_installation_fits_a_message(
    declared: list[DomainRule], derived: tuple[DerivedSetting, ...]
) -> None:
    """As many domains as may be, added ones, hosts of accounts and sentences of a proposal."""
    document = LegalDocument(url=f"https://x/{ESCAPED * 1990}", version="1")
    any_host = domain("{host}", slots={"host": given.HOST})
    parts: dict[str, Any] = {"derived": derived, "privacy_policy": document, "terms": document}
    more = [domain(f"m{one}{OWNER}").model_copy(update={"purpose": ESCAPED * 500}) for one in FIFTY]
    accounts = tuple(Settings({"host": long_name(one, 61)}) for one in range(MAX_HOSTS))
    accepted = with_hosts(
        installation(on_record(domains=(any_host, *declared), **parts)), accounts, POLICY
    )
    texts = [f"*.{long_name(one, 240)}:65535" for one in range(9000, 9000 + MAX_ADDED)]
    added = decide_addition(desk(accepted), asked(add(*texts, reason=".")))
    assert isinstance(added, Applied)

    followed = follow(
        added.state.installation,
        Facts(
            offer=Offer(on_record(2, domains=(any_host, *more, *declared), **parts)),
            is_licensed=True,
            accounts=accounts,
        ),
        NOON,
        POLICY,
    )

    assert isinstance(followed, Applied)
    [largest], [proposed] = added.events, followed.events
    assert isinstance(largest, InstallationChanged)
    assert isinstance(proposed, InstallationChanged)
    assert sum(one.bytes_told for one in accepted.in_force.domains) > 0.8 * MOST_BYTES
    assert len(largest.hosts) == MAX_HOSTS
    assert proposed.proposed is not None
    for event in (largest, proposed):
        assert MAX_MESSAGE_BYTES * 0.8 < len(event.to_json()) < MAX_MESSAGE_BYTES


def test_domains_beyond_the_most_are_shown_and_blocked() -> None:
    many = tuple(domain(f"d{one}.example.com") for one in range(MOST_DECLARED + 1))

    shown = on_record(domains=many)

    assert [one.is_reached for one in shown.domains] == [True] * MOST_DECLARED + [False]
    assert shown.domains[-1].blocked_because is not None
    assert len(installation(shown).domains) == MOST_DECLARED


def test_domains_beyond_the_most_are_not_even_read() -> None:
    plain = tuple(domain(f"d{one}.example.com") for one in range(MOST_DECLARED))
    beyond = domain("{bücher}.example.com", slots={"bücher": "("}, wide_because="So.")

    shown = on_record(domains=(*plain, beyond)).domains[-1]

    assert (shown.rule, shown.shown) == (beyond.rule, beyond.rule)
    assert (shown.slots, shown.wide) == ({}, None)
    assert shown.blocked_because is not None
    assert "first 300" in shown.blocked_because


def test_templates_that_many_domains_share_make_no_review_too_long() -> None:
    """They are shown with each domain that they fill."""
    filled = tuple(
        domain(f"{{made}}.d{one}.example.com", slots={"made": given.HOST}) for one in range(200)
    )
    long = given.derived("made", *(f"{{host}}.{LONG}{one}" for one in range(10)))

    shown = review(domains=filled, derived=(long,))

    assert shown.domains[0].blocked_because is None
    assert shown.domains[-1].blocked_because is not None
    assert len(shown.to_json()) < MAX_MESSAGE_BYTES


def test_domains_that_are_too_long_together_are_shown_and_blocked() -> None:
    pattern = EMOJI * 200
    many = tuple(
        domain(f"{{host}}.d{one}.example.com", slots={"host": pattern})
        for one in range(MOST_DECLARED - 1)
    )

    shown = on_record(domains=(*many, domain("api.example.com")))
    reached = [one for one in shown.domains if one.blocked_because is None]

    assert sum(one.bytes_told for one in reached) <= MOST_BYTES
    assert sum(one.bytes_told for one in reached) + reached[-1].bytes_told > MOST_BYTES
    assert [one.rule for one in reached] == [one.rule for one in many[: len(reached)]]
    assert {one.blocked_because is None for one in shown.domains[len(reached) :]} == {False}
    assert len(shown.domains) == MOST_DECLARED


def test_hosts_in_a_wildcards_place_leave_room_for_what_was_accepted() -> None:
    before = on_record(domains=(domain("*.example.com"), *FILLED))
    names = tuple(domain(f"{long_name(one, 200)}") for one in range(150))
    after = on_record(2, domains=(*FILLED[:140], *names))

    left = narrowed(before, after)

    assert sum(one.bytes_told for one in left.domains) <= MOST_BYTES
    assert narrowed(left, after) == left
