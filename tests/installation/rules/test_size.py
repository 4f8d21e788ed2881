"""However much there is of everything, what is told of an installation fits a message."""

from keyturn_contracts.installation import MAX_ADDED, MAX_HOSTS, DomainsChanged
from keyturn_contracts.message import MAX_MESSAGE_BYTES

from services.installation.rules.domain_list import decide_addition
from services.installation.rules.following import Facts, follow
from services.installation.rules.installation import event_about, with_hosts, with_reach
from services.installation.rules.reach import Settings
from services.installation.rules.review import (
    MOST_DECLARED,
    MOST_FILLING,
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
EMOJI = "\N{FACE WITH TEARS OF JOY}"


def on_record(version: int = 1, **changes: object) -> Review:
    """Return the review of a manifest from before anything bounded one."""
    return review_of(given.manifest().model_copy(update=changes), version)


def test_the_largest_installation_fits_a_message() -> None:
    declared = tuple(domain(f"d{one:04}.{LONG}") for one in range(2 * MOST_DECLARED))
    slots = domain("{host}", slots={"host": given.HOST})
    accepted = installation(on_record(domains=(slots, *declared)))
    texts = [f"a{one:04}.{LONG}" for one in range(MAX_ADDED)]
    added = decide_addition(desk(accepted), asked(add(*texts, reason=EMOJI * 60)))
    assert isinstance(added, Applied)
    accounts = tuple(Settings({"host": f"h{one:04}.{LONG}"}) for one in range(MAX_HOSTS))
    more = tuple(domain(f"m{one:04}.{LONG}", wide_because=EMOJI * 600) for one in range(99))
    newest = Offer(on_record(2, domains=(slots, *more, *declared)))

    followed = follow(
        added.state.installation,
        Facts(offer=newest, is_licensed=True, accounts=accounts),
        NOON,
        POLICY,
    )

    assert isinstance(followed, Applied)
    [event] = followed.events
    size = len(event.to_json())
    assert MAX_MESSAGE_BYTES / 2 < size < MAX_MESSAGE_BYTES


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


def test_slots_whose_patterns_are_too_long_together_are_shown_and_blocked() -> None:
    pattern = "[a-z]" * 100
    many = tuple(
        domain(f"{{host}}.d{one}.example.com", slots={"host": pattern})
        for one in range(MOST_FILLING // len(pattern) + 1)
    )

    *others, last = on_record(domains=(*many, domain("api.example.com"))).domains[:-1]

    assert {one.blocked_because for one in others} == {None}
    assert last.blocked_because is not None


def test_with_the_longest_patterns_it_fits_a_message_too() -> None:
    pattern = "[a-z]" * 100
    slots = tuple(
        domain(f"{{host}}.d{one}.{LONG}", slots={"host": pattern}) for one in range(MOST_DECLARED)
    )
    accounts = tuple(Settings({"host": f"h{one:04}"}) for one in range(MAX_HOSTS))

    reached = with_reach(with_hosts(installation(review(domains=slots)), accounts, POLICY))

    assert len(event_about(DomainsChanged, reached).to_json()) < MAX_MESSAGE_BYTES
