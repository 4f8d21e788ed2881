"""What a copy of access holds after any news: the newest of each of its own brand, or nothing."""

import json
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from keyturn_client.replica import access
from keyturn_client.replica.access import AccessCopy
from keyturn_client.replica.announced import BEFORE_ALL
from keyturn_client.replica.installations import Installations
from keyturn_client.wire import Read, Record
from keyturn_contracts import rights
from keyturn_contracts.access import EnablementChanged, GrantChanged, MemberChanged
from keyturn_contracts.credential_vault import AccountChanged
from keyturn_contracts.examples import EXAMPLES
from keyturn_contracts.message import Event
from keyturn_contracts.rights import AccountFact, Code, Facts, Grant

from tests.client.replicas import (
    BRAND,
    NOON,
    account,
    announced,
    deleted,
    disabled,
    enabled,
    granted,
    installed,
    read,
    registered,
    removed,
    revoked,
)

ABOUT_ACCESS = [
    one
    for one in EXAMPLES
    if isinstance(one, MemberChanged | AccountChanged | GrantChanged | EnablementChanged)
]


def heard(*records: Record, most: int = 1000) -> AccessCopy:
    installations = Installations(BRAND)
    found = AccessCopy(BRAND, installations.facts, most)
    for one in records:
        installations.hear([read(one)])
        found.hear([read(one)])
    return found


def in_order(events: Iterable[Event], brand: str = BRAND) -> list[Record]:
    """Return them as they are announced, each newer than what was before it."""
    return [announced(one, brand, sequence=n) for n, one in enumerate(events, 1)]


def says(copy: AccessCopy, member: str = "bob") -> Code:
    return rights.decide(copy.facts, member, "use", "mail", NOON).code


USABLE = (account(), installed(), enabled())


@pytest.mark.parametrize("event", ABOUT_ACCESS, ids=lambda one: type(one).__name__)
def test_every_event_that_decides_can_be_read_here(event: Event) -> None:
    copy = heard(announced(event))

    assert copy.kept == 1
    assert not copy.unreadable


def test_what_was_given_is_known_and_what_was_taken_away_is_not() -> None:
    given = in_order(
        [
            registered("bob"),
            account(),
            account("other", "smtp-relay"),
            granted("bob", level="owner", until=NOON),
            granted(),
            enabled("bob"),
        ]
    )
    copy = heard(*given)
    assert copy.facts == Facts(
        has_list=True,
        members={"bob": "member"},
        accounts={"mail": AccountFact("loud-mail"), "other": AccountFact("smtp-relay")},
        grants={"mail": {"bob": Grant("owner", NOON), "*": Grant()}},
        enablements={"loud-mail": {"bob"}},
    )

    taken = [removed("bob"), deleted(), revoked("bob"), revoked(), disabled("bob")]
    copy = heard(*given, *(announced(one, sequence=9) for one in taken))
    assert copy.facts == Facts(
        has_list=True,
        accounts={
            "mail": AccountFact("loud-mail", is_deleted=True),
            "other": AccountFact("smtp-relay"),
        },
    )
    assert copy.kept == len(given), "what has ended is remembered"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (granted(), revoked(), "no_access"),
        (enabled(), disabled(), "not_enabled"),
        (account(), deleted(), "account_deleted"),
        (registered("bob"), removed("bob"), "not_a_member"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_was_taken_away_does_not_come_back_with_older_news(
    old: Event, new: Event, code: Code
) -> None:
    usable = [announced(one) for one in (*USABLE, granted(), registered("bob"))]
    before, after = announced(old, sequence=2), announced(new, sequence=3)

    for order in ([before, after, before], [after, before], [after, before, after, before]):
        assert says(heard(*usable, *order)) == code


def test_a_new_epoch_is_true_whatever_its_sequence() -> None:
    before = announced(granted("bob"), epoch=1, sequence=99)
    after = announced(revoked("bob"), epoch=2, sequence=1)

    for records in ([before, after], [after, before]):
        assert heard(*records).facts.grants == {}


def test_another_brands_news_is_not_kept() -> None:
    events = [registered("bob"), account(), granted(), enabled(), installed()]
    twins = (f"{BRAND}-twin", BRAND[:-1], "")
    copy = heard(*(record for twin in twins for record in in_order(events, twin)))

    assert copy.facts == Facts()
    assert copy.kept == 0


@pytest.mark.parametrize("event", [granted(), account(), enabled(), registered("bob")])
def test_a_key_of_the_brand_with_another_brand_inside_lets_nothing_through(event: Event) -> None:
    odd = replace(announced(event, "twin"), key=announced(event).key)
    copy = heard(odd)

    assert copy.facts == Facts(has_list=isinstance(event, MemberChanged))
    assert len(copy.unreadable) == 1


def test_an_event_about_another_than_its_key_lets_nothing_through() -> None:
    copy = heard(replace(announced(granted("eve")), key=announced(granted("bob")).key))

    assert copy.facts.grants == {}
    assert copy.is_doubtful("bob", "mail")
    assert not copy.is_doubtful("eve", "mail")


def unreadable(event: Event, sequence: int) -> list[Record]:
    good = announced(event, sequence=sequence)
    state = json.loads(good.value)
    return [
        replace(good, value=b"{"),
        replace(good, value=b""),
        replace(good, value=json.dumps(state | {"state": "odd"}).encode()),
        replace(good, headers=[]),
        announced(event, sequence=sequence, type_name="keyturn.access.AccessFrozen.v1"),
    ]


@pytest.mark.parametrize("way", range(5))
def test_what_cannot_be_read_is_doubtful_until_something_newer_comes(way: int) -> None:
    copy = heard(*in_order([*USABLE, granted()]))
    odd = unreadable(granted(), 9)[way]

    copy.hear([read(odd)])
    assert copy.facts.grants == {}
    assert copy.is_doubtful("anybody", "mail"), "everyone's grant concerns everybody"
    assert not copy.is_doubtful("anybody", "other")

    copy.hear([read(announced(granted(), sequence=10))])
    assert says(copy) == "allowed"
    assert not copy.unreadable


def test_an_end_that_says_no_time_zone_cannot_be_read() -> None:
    state = json.loads(announced(granted("bob")).value) | {"until": "2126-01-01T00:00:00"}
    copy = heard(announced(granted("bob"), value=json.dumps(state).encode()))

    assert copy.unreadable == {"grants/mail/bob"}


def test_what_later_releases_add_to_an_event_stops_nobody() -> None:
    state = json.loads(announced(granted("bob")).value)
    grown = state | {"how": "inherited", "colour": "green"}
    copy = heard(announced(granted("bob"), value=json.dumps(grown).encode()))

    assert copy.facts.grants == {"mail": {"bob": Grant()}}


def test_an_unreadable_member_begins_the_list_all_the_same() -> None:
    copy = heard(*unreadable(registered("ada"), 1)[:1])

    assert copy.facts.has_list
    assert not copy.facts.is_member("bob")


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (granted(), "no_access"),
        (enabled(), "not_enabled"),
        (account(), "account_unknown"),
        (registered("bob"), "not_a_member"),
    ],
    ids=lambda one: type(one).__name__,
)
@pytest.mark.parametrize("is_bare", [True, False])
def test_a_record_without_a_value_takes_it_away(event: Event, code: Code, *, is_bare: bool) -> None:
    copy = heard(*in_order([*USABLE, granted(), registered("bob")]))
    kept = copy.kept
    tombstone = replace(read(announced(event, sequence=9)), value=None)
    copy.hear([replace(tombstone, headers=[]) if is_bare else tombstone])

    assert says(copy) == code
    assert copy.kept == kept - 1
    assert not copy.unreadable


def test_a_tombstone_of_something_unreadable_ends_the_doubt() -> None:
    odd = unreadable(granted("bob"), 1)[0]
    copy = heard(odd)
    copy.hear([replace(read(odd), value=None)])

    assert not copy.unreadable
    assert copy.kept == 0


def test_what_was_taken_away_with_its_record_takes_no_memory() -> None:
    copy = heard()

    def gone(account_id: str, *, was_there: bool) -> Iterator[Read]:
        found = read(announced(granted("bob", account_id)))
        if was_there:
            yield found
        yield replace(found, value=None)

    def hear_of(accounts: Iterable[str]) -> None:
        for n, account_id in enumerate(accounts):
            copy.hear(gone(account_id, was_there=n % 2 == 0))

    tracemalloc.start()
    try:
        hear_of(f"a{n}" for n in range(1000))
        found = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()

    assert copy.kept == 0
    # Elsewhere texts are remembered, a bounded number of them.
    kept_here = found.filter_traces(
        [tracemalloc.Filter(inclusive=True, filename_pattern=access.__file__)]
    ).traces
    assert sum(one.size for one in kept_here) < 10_000, "bytes; an empty scope takes 150"


def test_beyond_what_may_be_kept_nothing_is_known(caplog: pytest.LogCaptureFixture) -> None:
    enough = in_order([account(), granted("ada"), granted("bob")])
    copy = heard(*enough, *enough, most=3)
    assert (copy.kept, copy.is_overfull) == (3, False)

    copy.hear([read(announced(granted("carol")))])
    assert (copy.kept, copy.is_overfull) == (0, True)
    assert copy.facts == Facts()
    assert "more members, accounts, grants and enablements than the 3" in caplog.text

    copy.hear(map(read, enough))
    assert copy.facts == Facts(), "it does not begin again in the middle"
    copy.forget()
    copy.hear(map(read, enough))
    assert (copy.kept, copy.is_overfull) == (3, False)


def test_what_was_heard_of_something_has_a_sequence() -> None:
    copy = heard(announced(granted("bob"), sequence=4), announced(registered("ada"), sequence=200))

    assert copy.position_of("grants/mail/bob") == (1, 4)
    assert copy.position_of("members/ada") == (1, 200)
    assert copy.position_of("grants/mail/ada") == BEFORE_ALL
    assert copy.position_of("grants/other/bob") == BEFORE_ALL


@pytest.mark.parametrize("key", [None, b"", b"acme/grants", b"acme/grants/", b"acme/licence"])
def test_what_is_about_something_else_changes_nothing(key: bytes | None) -> None:
    copy = heard(announced(granted("bob")))
    copy.hear([replace(read(announced(granted("eve"))), key=key)])

    assert copy.facts.grants == {"mail": {"bob": Grant()}}
    assert copy.kept == 1


def test_a_grant_ends_when_it_says_so_whether_that_was_announced_or_not() -> None:
    copy = heard(*in_order([*USABLE, granted("bob", until=NOON)]))
    moment = timedelta(microseconds=1)

    assert rights.decide(copy.facts, "bob", "use", "mail", NOON - moment).allowed
    assert rights.decide(copy.facts, "bob", "use", "mail", NOON).code == "no_access"
