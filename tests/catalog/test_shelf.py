"""What a brand sees of everything that is published: filtered, searched, in order, page by page."""

from typing import Any

import pytest
from keyturn_contracts.catalog import ExtensionState, Manifest, SupportDetails

from services.catalog.rules.shelf import Place, Shelf, Sight, Wanted, card_of
from tests.catalog.given import first_party, step, third_party

PLATFORM = SupportDetails(name="Keyturn support")
EVERYTHING = Sight(covers=None, installed=frozenset())
MANIFESTS = (
    first_party("slack", "Slack", category="chat", steps=(step("post", "Post a message"),)),
    first_party("jira", "Jira", category="tickets", steps=(step("open", "Open a ticket"),)),
    third_party(steps=(step(), step("sent", "Parcel was sent", kind="event"))),
    third_party("letters", "letters", preview=False, category="post"),
)


def put(shelf: Shelf, manifest: Manifest, state: ExtensionState = "published") -> None:
    shelf.put(card_of(manifest, 1, state, PLATFORM, "Keyturn"))


@pytest.fixture
def shelf() -> Shelf:
    shelf = Shelf()
    for one in MANIFESTS:
        put(shelf, one)
    return shelf


def slugs(shelf: Shelf, sight: Sight = EVERYTHING, **wanted: Any) -> list[str]:
    return [card.slug for _, card in shelf.extensions(Wanted(**wanted), sight, None, 100)]


def steps(shelf: Shelf, sight: Sight = EVERYTHING, **wanted: Any) -> list[tuple[str, str]]:
    found = shelf.steps(Wanted(**wanted), sight, None, 100)
    return [(card.slug, step.id) for _, card, step in found]


def test_without_a_search_it_is_all_there_by_name_whatever_its_case(shelf: Shelf) -> None:
    assert slugs(shelf) == ["jira", "letters", "parcels", "slack"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"party": "first"}, ["jira", "slack"]),
        ({"party": "third", "is_preview": True}, ["parcels"]),
        ({"is_preview": False}, ["jira", "letters", "slack"]),
        ({"category": "chat"}, ["slack"]),
        ({"category": "none"}, []),
        ({"is_installed": True}, ["letters", "slack"]),
        ({"is_installed": False}, ["jira", "parcels"]),
        ({"search": "keyturn"}, ["jira", "slack"]),
        ({"search": "parcels", "is_installed": True}, ["letters"]),
        ({"search": "parcels inc"}, ["letters", "parcels"]),
        ({"search": "by"}, []),
        ({"search": "!"}, []),
    ],
)
def test_filters_and_search_narrow_it_down(
    shelf: Shelf, wanted: dict[str, Any], expected: list[str]
) -> None:
    sight = Sight(covers=None, installed=frozenset({"letters", "slack"}))

    assert sorted(slugs(shelf, sight, **wanted)) == expected


def test_a_brand_sees_what_its_licence_covers_and_nothing_else(shelf: Shelf) -> None:
    sight = Sight(covers=frozenset({"slack", "letters", "none"}), installed=frozenset())

    assert slugs(shelf, sight) == ["letters", "slack"]
    assert slugs(shelf, sight, search="jira") == []
    assert slugs(shelf, sight, search="keyturn") == ["slack"]
    assert steps(shelf, sight) == [("slack", "post")]
    assert slugs(shelf, Sight(covers=frozenset(), installed=frozenset({"slack"}))) == []


def test_what_is_retired_is_seen_by_who_has_it_and_by_operators(shelf: Shelf) -> None:
    put(shelf, MANIFESTS[0], "retired")
    covers = frozenset({"slack", "jira"})

    assert slugs(shelf, Sight(covers=covers, installed=frozenset())) == ["jira"]
    assert slugs(shelf, Sight(covers=covers, installed=frozenset({"slack"}))) == ["jira", "slack"]
    assert "slack" in slugs(shelf)
    assert steps(shelf, Sight(covers=covers, installed=frozenset())) == [("jira", "open")]


def test_steps_are_found_by_their_own_words_and_their_extensions(shelf: Shelf) -> None:
    assert steps(shelf, search="ticket") == [("jira", "open")]
    assert steps(shelf, search="jira") == [("jira", "open")]
    assert steps(shelf, search="parcel was") == [("parcels", "sent")]
    assert steps(shelf, search="parcels", kind="task") == [("parcels", "send")]
    assert steps(shelf, kind="event") == [("parcels", "sent")]
    assert steps(shelf, party="first", category="chat") == [("slack", "post")]
    assert len(steps(shelf)) == 4


def test_what_changes_is_seen_as_it_is_now(shelf: Shelf) -> None:
    changed = first_party(
        "slack", "Loud", description="It is loud.", steps=(step("shout", "Shout"),)
    )

    put(shelf, changed)

    assert "slack" not in slugs(shelf, search="server")
    assert slugs(shelf, search="loud") == ["slack"]
    assert steps(shelf, search="message") == []
    assert steps(shelf, search="shout") == [("slack", "shout")]
    assert slugs(shelf, category="chat") == []


@pytest.mark.parametrize("search", [None, "keyturn", "e1", "extension"])
@pytest.mark.parametrize("limit", [1, 7, 50])
def test_pages_join_without_a_gap_or_a_repeat(search: str | None, limit: int) -> None:
    shelf = Shelf()
    for number in range(120):
        # Every name three times: what is equal by name stands in the order of slugs.
        put(shelf, first_party(f"e{number}", f"Extension {number // 3}"))
    wanted = Wanted(search=search)
    whole = [card.slug for _, card in shelf.extensions(wanted, EVERYTHING, None, 1000)]

    pages: list[str] = []
    after: Place | None = None
    while page := shelf.extensions(wanted, EVERYTHING, after, limit):
        pages += [card.slug for _, card in page]
        after = page[-1][0]

    assert pages == whole
    assert len(set(whole)) == len(whole) > 0


def test_a_page_goes_on_behind_what_has_gone_meanwhile(shelf: Shelf) -> None:
    [(after, _)] = shelf.extensions(Wanted(), EVERYTHING, None, 1)
    put(shelf, first_party("jira", "Zebra"))

    rest = [card.slug for _, card in shelf.extensions(Wanted(), EVERYTHING, after, 10)]

    assert rest == ["letters", "parcels", "slack", "jira"]


def test_an_empty_shelf_has_nothing_on_it() -> None:
    place = (3, "name", "slug", "")

    assert Shelf().extensions(Wanted(search="mail"), EVERYTHING, place, 10) == []
    assert Shelf().steps(Wanted(), EVERYTHING, None, 10) == []
