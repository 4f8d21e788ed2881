"""Search as one types: what is found by which words, and in which order."""

import random
import string
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.catalog.rules.search import MOST_WORDS, Index, words_of

NAMES = {
    "salesforce": "Salesforce",
    "sandbox": "Salesforce (Sandbox)",
    "extract": "Extract Data from Salesforce (Sandbox)",
    "slack": "Slack",
    "sheets": "Google Sheets",
    "calendar": "Google Calendar",
    "drive": "Extract Data from Google Drive",
    "jira": "Jira",
    "sms": "Text messages (SMS) via Infobip",
    "servicenow": "ServiceNow",
    "uber": "Über Café",
}


@pytest.fixture(scope="module")
def index() -> Index[str]:
    index = Index[str]()
    for thing, name in NAMES.items():
        index.put(thing, name=name, labels=["keyturn", "crm"], texts=[f"What {name} does."])
    index.put("notes", name="Notes", labels=["jotter-inc"], texts=["Writes to Slack and Jira."])
    index.put("jot", name="Jot", labels=["slack-friends"], texts=["Nothing else."])
    return index


def best_first(index: Index[str], query: str) -> list[str]:
    found = index.find(query)
    return sorted(found, key=lambda thing: (found[thing], thing))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("salesforce", ["salesforce", "sandbox", "extract"]),
        ("google", ["calendar", "sheets", "drive"]),
        ("google sh", ["sheets"]),
        ("goo she", ["sheets"]),
        ("sheets google", ["sheets"]),
        ("slack", ["slack", "jot", "notes"]),
        ("jotter", ["notes"]),
        ("writes", ["notes"]),
        ("w", []),
        ("k", []),
        ("g", ["calendar", "sheets", "drive"]),
        ("wr", ["notes"]),
        ("SLACK!", ["slack", "jot", "notes"]),
        ("  slack  ", ["slack", "jot", "notes"]),
        ("uber cafe", ["uber"]),
        ("ÜBER", ["uber"]),
        ("(sms)", ["sms"]),
        ("googlesheets", ["sheets"]),
        ("sales force", ["salesforce", "sandbox"]),
        ("service now", ["servicenow"]),
        ("slakc", ["slack", "jot", "notes"]),
        ("googl esheets", ["sheets"]),
        ("gogle calendra", ["calendar"]),
        ("jra", ["jira", "notes"]),
        ("salezf", ["salesforce", "sandbox", "extract"]),
        ("google slack", []),
        ("zebra", []),
    ],
)
def test_words_find_what_they_mean_the_best_first(
    index: Index[str], query: str, expected: list[str]
) -> None:
    assert best_first(index, query) == expected


@pytest.mark.parametrize("query", ["", "   ", "!!!", "...(", "\U0001f600", "\u0300"])
def test_what_has_no_word_in_it_finds_nothing(index: Index[str], query: str) -> None:
    assert index.find(query) == {}


def test_the_exact_name_comes_first_then_names_that_begin_so_then_the_rest() -> None:
    index = Index[str]()
    index.put("text", name="Zulu", texts=["About mail."])
    index.put("label", name="Yankee", labels=["mail"])
    index.put("a misspelt word", name="The nail")
    index.put("nearly", name="Nail")
    index.put("second", name="The mail room")
    index.put("begins a word", name="The mailbox")
    index.put("begins", name="Mailbox")
    index.put("exact", name="Mail")

    assert best_first(index, "mail") == [
        "exact",
        "begins",
        "second",
        "begins a word",
        "label",
        "text",
        "nearly",
        "a misspelt word",
    ]


def test_of_a_word_that_nobody_could_type_the_beginning_counts() -> None:
    index = Index[str]()
    index.put("long", name="x" * 10_000)

    assert index.find("x" * 90) == {"long": 0}
    assert words_of("x" * 10_000) == ["x" * 40]


def test_what_is_put_again_is_found_by_its_new_words_alone() -> None:
    index = Index[str]()
    index.put("one", name="Mail", labels=["acme"], texts=["Sends letters."])
    index.put("one", name="Post", labels=["acme"], texts=["Sends parcels."])

    found = [bool(index.find(query)) for query in ("mail", "letters", "post", "parcels", "acme")]
    index.drop("one")

    assert found == [False, False, True, True, True]
    assert not index.find("acme")


class Counted(str):
    """A thing that is looked up by counting how often."""

    __slots__ = ()
    looked_up = 0

    def __hash__(self) -> int:
        Counted.looked_up += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)


@pytest.fixture(scope="module")
def alike() -> Index[Counted]:
    """Thousand things with a name of their own, whose texts have the same words."""
    index = Index[Counted]()
    for number in range(1000):
        name = f"Zulu{number:04}"
        index.put(Counted(name), name=name, texts=["It connects the account with the platform."])
    return index


def work_of(index: Index[Counted], query: str) -> tuple[int, int]:
    """Return how many are found, and how many were looked up for it, for each that there is."""
    before = Counted.looked_up
    found = index.find(query)
    return len(found), (Counted.looked_up - before) // 1000


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("the with account platform connects it", 1000),
        ("the the the the the the the the the the", 1000),
        ("the zebra with", 0),
        ("it zulu0001 connects the account with", 37),
        ("t w a p c i", 0),
    ],
)
def test_words_that_all_have_are_little_work(alike: Index[Counted], query: str, found: int) -> None:
    assert work_of(alike, query) == (found, 0)


def test_one_word_that_nothing_has_ends_a_search_before_anything_is_gathered(
    alike: Index[Counted],
) -> None:
    before = Counted.looked_up

    assert alike.find("connects the account with a quux") == {}

    assert Counted.looked_up == before


def misspellings(word: str) -> Iterator[str]:
    """Yield the word with one letter left out, doubled with another, replaced, or swapped."""
    for place, letter in enumerate(word):
        before, after = word[:place], word[place + 1 :]
        yield before + after
        if after:
            yield before + after[0] + letter + after[1:]
        for other in string.ascii_lowercase + string.digits:
            yield before + other + after
            yield before + other + letter + after
    for other in string.ascii_lowercase:
        yield word + other


def five_thousand() -> dict[str, str]:
    """Return as many names, of one to three words."""
    letters = random.Random(7)  # noqa: S311  the same names every time
    syllables = [a + b for a in "bcdfghjklmnprstvwz" for b in "aeiou"]

    def word() -> str:
        return "".join(letters.choices(syllables, k=letters.randint(2, 4)))

    return {
        f"e{number}": " ".join(word() for _ in range(letters.randint(1, 3)))
        for number in range(5000)
    }


@pytest.fixture(scope="module")
def large() -> tuple[dict[str, str], Index[str]]:
    names, index = five_thousand(), Index[str]()
    for thing, name in names.items():
        index.put(thing, name=name, labels=["vendor"], texts=[f"It connects {name} with mail."])
    return names, index


def test_every_misspelling_of_one_letter_finds_the_name_among_five_thousand(
    large: tuple[dict[str, str], Index[str]],
) -> None:
    names, index = large
    for thing, name in random.Random(8).sample(sorted(names.items()), 12):  # noqa: S311  likewise
        first, *rest = name.split()
        for wrong in misspellings(first):
            query = " ".join([wrong, *rest])
            assert thing in index.find(query), (name, query)


def test_every_beginning_of_a_name_finds_it_among_five_thousand(
    large: tuple[dict[str, str], Index[str]],
) -> None:
    names, index = large
    for thing, name in random.Random(9).sample(sorted(names.items()), 100):  # noqa: S311  likewise
        for end in range(1, len(name) + 1):
            assert thing in index.find(name[:end]), (name, name[:end])
        assert index.find(name)[thing] == 0


def one_away(first: str, second: str) -> bool:
    """Tell, slowly and plainly, whether one slip turns one into the other."""
    if first == second:
        return True
    short, long = sorted((first, second), key=len)
    if len(long) - len(short) == 1:
        return any(long[:place] + long[place + 1 :] == short for place in range(len(long)))
    if len(long) != len(short):
        return False
    wrong = [place for place in range(len(long)) if long[place] != short[place]]
    if len(wrong) == 1:
        return True
    is_swap = len(wrong) == 2 and wrong[1] == wrong[0] + 1
    return is_swap and long[wrong[0]] == short[wrong[1]] and long[wrong[1]] == short[wrong[0]]


def means(word: str, name_word: str) -> bool:
    if name_word.startswith(word):
        return True
    if len(word) < 3:
        return False
    if one_away(word, name_word):
        return True
    lengths = range(len(word) - 1, len(word) + 2)
    return len(word) >= 5 and any(one_away(word, name_word[:length]) for length in lengths)


_WORD = st.text("abc", min_size=1, max_size=6)


@settings(max_examples=300, deadline=None)
@given(st.lists(_WORD, min_size=1, max_size=8), _WORD)
def test_a_word_is_found_exactly_where_it_is_begun_or_one_slip_away(
    words: list[str], query: str
) -> None:
    index = Index[int]()
    for number, word in enumerate(words):
        index.put(number, name=word)

    expected = {number for number, word in enumerate(words) if means(query, word)}

    assert set(index.find(query)) == expected


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=100), st.text(max_size=100))
def test_no_text_is_too_odd_to_be_put_or_searched_for(name: str, query: str) -> None:
    index = Index[str]()
    index.put("one", name=name, labels=[query], texts=[name])

    assert set(index.find(query)) <= {"one"}
    if 0 < len(words_of(name)) <= MOST_WORDS:
        assert index.find(name) == {"one": 0}
