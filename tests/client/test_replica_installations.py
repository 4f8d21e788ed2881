"""What a copy holds after any news: the newest of each extension of its own brand, or nothing."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyturn_client.replica.installations import Held, Installation, Installations
from keyturn_client.wire import Read, Record
from keyturn_contracts.examples import EXAMPLES
from keyturn_contracts.installation import DomainsChanged, ExtensionSuspended, InstallationChanged
from keyturn_contracts.reaching import judge_data, judge_url

from tests.client.replicas import BRAND, LOUD, announced, installed, read

ABOUT_INSTALLATIONS = [one for one in EXAMPLES if isinstance(one, InstallationChanged)]


def heard(*records: Record) -> Installations:
    found = Installations(BRAND)
    found.hear(map(read, records))
    return found


def domains_of(copy: Installations, extension: str = LOUD) -> tuple[str, ...] | None:
    """Return what it may reach; None where the copy does not know."""
    held = copy.get(extension)
    assert held is not None
    return held.installation and held.installation.domains


@pytest.mark.parametrize("event", ABOUT_INSTALLATIONS, ids=lambda one: type(one).__name__)
def test_every_event_about_an_installation_is_held_as_its_contract_says(
    event: InstallationChanged,
) -> None:
    held = heard(announced(event)).get(event.extension)

    assert held is not None
    assert held.installation == Installation(
        party=event.party,
        state=event.state,
        domains=event.domains,
        domains_revision=event.domains_revision,
        permissions=event.permissions,
    )
    for url in ("https://api.loud-mail.example/", "https://example.org/"):
        found = judge_url(LOUD, url, held.installation)
        assert found == judge_url(LOUD, url, event)
    assert judge_data(LOUD, "contacts", held.installation) == judge_data(LOUD, "contacts", event)


def test_another_brands_installation_of_the_same_extension_is_not_heard() -> None:
    twins = (f"{BRAND}-twin", f"{BRAND}/installations", BRAND[:-1], "")
    copy = heard(*(announced(installed(LOUD, "a.example.com"), one) for one in twins))

    assert copy.get(LOUD) is None


def test_a_key_of_the_brand_with_another_brand_inside_lets_nothing_through() -> None:
    foreign = announced(installed(LOUD, "a.example.com"), "twin")
    ours = announced(installed(LOUD))

    assert domains_of(heard(replace(foreign, key=ours.key))) is None


def test_an_event_about_another_extension_than_its_key_lets_nothing_through() -> None:
    other = announced(installed("soft-mail", "a.example.com"))
    copy = heard(replace(other, key=announced(installed(LOUD)).key))

    assert domains_of(copy) is None
    assert copy.get("soft-mail") is None


def test_the_higher_sequence_is_true_in_whichever_order_they_come() -> None:
    old = announced(installed(LOUD, "a.example.com"), sequence=1)
    new = announced(installed(LOUD, kind=DomainsChanged), sequence=2)

    for records in ([old, new], [new, old], [new, old, new, old]):
        assert domains_of(heard(*records)) == ()


def test_a_new_epoch_is_true_whatever_its_sequence() -> None:
    before = announced(installed(LOUD, "a.example.com"), epoch=1, sequence=99)
    after = announced(installed(LOUD, "b.example.com"), epoch=2, sequence=1)

    for records in ([before, after], [after, before]):
        assert domains_of(heard(*records)) == ("b.example.com",)


def test_what_later_releases_add_to_an_event_stops_nobody() -> None:
    event = json.loads(installed(LOUD, "a.example.com").to_json())
    grown = event | {
        "permissions": ["contacts", "calendars"],
        "party": "fourth",
        "uninstallation": {"waiting": ["access"]},
        "colour": "green",
    }

    held = heard(announced(installed(), value=json.dumps(grown).encode())).get(LOUD)

    assert held is not None
    assert held.installation is not None
    assert held.installation.permissions == ("contacts", "calendars")


def unreadable() -> list[tuple[str, Record]]:
    """Return what says that there is something newer, and not what: each with its name."""
    good = announced(installed(LOUD, "b.example.com"), sequence=2)
    state = json.loads(good.value)
    return [
        ("no JSON", replace(good, value=b"{")),
        ("no value", replace(good, value=b"")),
        ("an unknown state", replace(good, value=json.dumps(state | {"state": "odd"}).encode())),
        ("no domains' revision", replace(good, value=b'{"extension":"loud-mail"}')),
        (
            "an unknown type",
            announced(
                installed(LOUD), sequence=2, type_name="keyturn.installation.ExtensionFrozen.v1"
            ),
        ),
        (
            "another version",
            announced(
                installed(LOUD), sequence=2, type_name="keyturn.installation.DomainsChanged.v2"
            ),
        ),
    ]


@pytest.mark.parametrize("record", [pytest.param(it, id=name) for name, it in unreadable()])
def test_after_news_that_cannot_be_read_nothing_is_known_until_something_newer_comes(
    record: Record,
) -> None:
    before = announced(installed(LOUD, "a.example.com"), sequence=1)
    after = announced(installed(LOUD, "c.example.com"), sequence=3)

    copy = heard(before, record)
    assert domains_of(copy) is None
    assert (copy.facts, copy.unreadable) == ({}, {LOUD}), "nor is it a fact about access"
    copy.hear([read(before)])
    assert domains_of(copy) is None, "an older one, repeated"
    copy.hear([read(after)])
    assert domains_of(copy) == ("c.example.com",)
    assert (set(copy.facts), copy.unreadable) == ({LOUD}, set())
    copy.hear([read(record)])
    assert domains_of(copy) == ("c.example.com",), "the unreadable one, repeated"


def without_position(record: Record) -> list[Read]:
    """Return it in ways in which nobody can tell when it was announced."""
    some = [one for one in record.headers if one[0] not in {"ce_epoch", "ce_sequence"}]
    return [
        replace(read(record), headers=[]),
        replace(read(record), headers=some),
        replace(read(record), headers=[*some, ("ce_epoch", b"x"), ("ce_sequence", b"y")]),
        # A tombstone.
        replace(read(record), headers=[], value=None),
    ]


@pytest.mark.parametrize("way", range(4))
def test_what_has_no_position_counts_as_newer_than_what_was_known(way: int) -> None:
    known = announced(installed(LOUD, "a.example.com"), sequence=5)
    odd = without_position(announced(installed(LOUD, "b.example.com"), sequence=6))[way]
    newer = announced(installed(LOUD, "c.example.com"), sequence=7)

    copy = heard(known)
    copy.hear([odd])
    assert domains_of(copy) is None
    copy.hear([read(known)])
    assert domains_of(copy) is None, "what was known before, repeated"
    copy.hear([odd, read(newer)])
    assert domains_of(copy) == ("c.example.com",)


@pytest.mark.parametrize("way", range(4))
def test_what_has_no_position_and_comes_first_is_held_as_unknown(way: int) -> None:
    odd = without_position(announced(installed(LOUD)))[way]
    copy = Installations(BRAND)

    copy.hear([odd])
    assert domains_of(copy) is None
    copy.hear([read(announced(installed(LOUD, "a.example.com")))])
    assert domains_of(copy) == ("a.example.com",)


@pytest.mark.parametrize("key", [None, b"", b"\xff/installations/loud-mail", b"acme/licence"])
def test_what_is_about_something_else_changes_nothing(key: bytes | None) -> None:
    copy = heard(announced(installed(LOUD, "a.example.com")))
    held = copy.get(LOUD)

    copy.hear([replace(read(announced(installed(LOUD), sequence=2)), key=key)])

    assert copy.get(LOUD) is held


def test_a_key_that_is_no_text_is_no_extensions() -> None:
    copy = heard(announced(installed(LOUD, "a.example.com")))

    odd = replace(read(announced(installed(LOUD), sequence=2)), key=b"acme/installations/\xff")
    copy.hear([odd])

    assert domains_of(copy) == ("a.example.com",)


POSITIONS = st.tuples(st.integers(1, 3), st.integers(1, 5))
EXTENSIONS = st.sampled_from([LOUD, "soft-mail"])
BRANDS = st.sampled_from([BRAND, "twin"])


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[str, Held], list[Record]]:
    """Return what was announced, in any order and repeated, and what has to be held after it."""
    truth: dict[str, Held] = {}
    records: list[Record] = []
    written = draw(st.sets(st.tuples(BRANDS, EXTENSIONS, POSITIONS), max_size=20))
    for brand, extension, (epoch, sequence) in sorted(written):
        domains = (f"e{epoch}.example.com", f"s{sequence}.example.com")
        is_suspended = draw(st.booleans())
        event = installed(
            extension,
            *domains,
            kind=ExtensionSuspended if is_suspended else DomainsChanged,
            state="suspended" if is_suspended else "installed",
            domains_revision=sequence,
        )
        is_readable = draw(st.booleans())
        value = None if is_readable else b"{}"
        records.append(announced(event, brand, epoch=epoch, sequence=sequence, value=value))
        if brand == BRAND:
            # Sorted: the last of an extension is its newest.
            truth[extension] = Held(
                (epoch, sequence),
                Installation("third", event.state, domains, sequence, ()) if is_readable else None,
            )
    some = draw(st.lists(st.sampled_from(records), max_size=10)) if records else []
    return truth, draw(st.permutations([*records, *some]))


@given(histories(), st.integers(1, 7))
def test_any_order_with_repeats_ends_with_the_newest_of_each(
    history: tuple[dict[str, Held], list[Record]], at_once: int
) -> None:
    truth, records = history
    copy = Installations(BRAND)

    for begin in range(0, len(records), at_once):
        copy.hear(map(read, records[begin : begin + at_once]))

    assert {one: copy.get(one) for one in (LOUD, "soft-mail")} == {
        one: truth.get(one) for one in (LOUD, "soft-mail")
    }
