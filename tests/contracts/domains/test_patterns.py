"""The regular expressions of slots: what Python's own engine says, in bounded time."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from keyturn_contracts.domains import patterns
from keyturn_contracts.domains.patterns import PatternError, read_pattern

ONES = st.sampled_from(
    [
        "a",
        "b",
        "-",
        ".",
        r"\.",
        r"\-",
        "[ab]",
        "[^a]",
        "[a-z0-9-]",
        r"[\d.]",
        r"\d",
        r"\w",
        r"\D",
        "]",
    ]
)
TIMES = st.sampled_from(["", "*", "+", "?", "{2}", "{0}", "{0,2}", "{1,}", "{1,3}", "*?", "{2,3}?"])


def _group(kind: str, inside: str, times: str) -> str:
    return f"{kind}{inside}){times}"


def _larger(patterns: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    sequence = st.lists(patterns, max_size=3).map("".join)
    either = st.lists(sequence, min_size=1, max_size=3).map("|".join)
    return st.builds(_group, st.sampled_from(["(", "(?:"]), either, TIMES)


PATTERNS = st.lists(
    st.recursive(st.builds(str.__add__, ONES, TIMES), _larger, max_leaves=5), max_size=3
).map("".join)
VALUES = st.text(alphabet="ab1-.Aé٣]", max_size=7)


@given(PATTERNS, st.lists(VALUES, max_size=6))
@example("(?:a|ab)(?:c|bcd)(?:d*)", ["abcd"])
@example("(?:a?){3}", ["", "a", "aaa", "aaaa"])
@example("(?:|a)+b", ["b", "aab", "a"])
def test_it_means_what_pythons_own_engine_means(pattern: str, values: list[str]) -> None:
    whole = re.compile(pattern, re.ASCII)
    bare, anchored = read_pattern(pattern), read_pattern(f"^(?:{pattern})$")

    for value in values:
        assert bare.matches_slot(value) == bool(whole.fullmatch(value)), value
        assert anchored.matches_slot(value) == bare.matches_slot(value)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("(a+)+b", "a" * 250),
        ("(a|a)*b", "a" * 250),
        ("(a*)*b", "a" * 250),
        ("((a+)+)+b", "a" * 250),
        ("(.*.*.*.*.*)x", "a" * 250),
        ("([a-z0-9]+[a-z0-9-]*)*!", "a" * 250),
        ("(a?){190}b", "a" * 250),
        (r"^([a-z0-9]+(\.|-)?)+$", "a" * 250 + "!"),
    ],
)
def test_what_would_take_other_engines_years_is_answered(pattern: str, value: str) -> None:
    assert not read_pattern(pattern).matches_slot(value)


def test_a_pattern_of_many_parts_is_understood() -> None:
    host = read_pattern("[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")

    assert host.matches_slot("mail.example.com")
    assert host.matches_slot("a" * 253)
    assert not host.matches_slot("a" * 254)
    assert not host.matches_slot("-a")


@pytest.mark.parametrize("value", ["\n", "a\n", "\na", "a\nb"])
def test_a_line_break_is_no_end(value: str) -> None:
    assert not read_pattern("^a?b?$").matches_slot(value)


@pytest.mark.parametrize("value", ["٣", "\uff13", "é", "ä"])
def test_digits_and_letters_are_those_of_ascii(value: str) -> None:
    assert not read_pattern(r"\d").matches_slot(value)
    assert not read_pattern(r"\w").matches_slot(value)
    assert read_pattern(r"\W").matches_slot(value)


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(a", "not closed"),
        ("a)", "not opened"),
        ("(?=a)", "are not understood"),
        (r"\b", "is not understood"),
        ("a{401}", "too many"),
        ("(){401}", "too many"),
        ("(a{100}){3}a{100}", "too many"),
        ("(a{1,40}){1,40}", "too many"),
        ("a++", "repeated"),
        ("a{3,2}", "greater number first"),
        ("[z-a]", "is no class"),
        (r"[a-\d]", "is no class"),
        (r"[\w-z]", "is no class"),
        ("[]", "is no class"),
        ("[^]", "is no class"),
        ("[a--z]", "is ambiguous"),
        ("a$b", "stands before its end"),
        ("(" * 30 + ")" * 30, "too deeply"),
        ("a" * 501, "longer than 500"),
    ],
)
def test_what_is_not_understood_is_named(pattern: str, says: str) -> None:
    with pytest.raises(PatternError, match=says):
        read_pattern(pattern)


@given(
    st.lists(
        st.sampled_from([*"abc019-]^_ .é\n", *(rf"\{one}" for one in "dDwWsS-]^.é")]), max_size=6
    ),
    st.text(alphabet="abcdz0159-]^_ .é\n\t\\Z\0\U0010ffff", max_size=8),
)
@example([r"\W", r"\D"], "a-\0\U0010ffff")
@example(["^", "^", "-", "a"], "^-ab")
def test_a_class_means_what_pythons_own_engine_means(inside: list[str], value: str) -> None:
    pattern = f"[{''.join(inside)}]"
    try:
        ours = read_pattern(pattern)
    except PatternError:
        return
    for character in value:
        assert ours.matches_slot(character) == bool(re.fullmatch(pattern, character, re.ASCII))


@pytest.mark.parametrize(
    "pattern",
    [
        "(a|b){130}",
        "a?" * 250,
        "(a?b?){80}",
        "(" * 20 + "a{1,16}" + "){1,16}" + ")" * 19,
        "[^@]{400}",
    ],
)
def test_the_work_of_a_pattern_is_in_the_order_of_its_positions(pattern: str) -> None:
    ours = read_pattern(pattern)

    assert ours.positions <= 400
    assert len(ours._follows) <= 3 * 400  # pyright: ignore[reportPrivateUsage]  it is what is counted


@given(PATTERNS, VALUES)
@example("a{2}", "aaa")
@example("(?:a{0,2}b?){2}", "aabaab")
def test_without_an_endless_repetition_nothing_longer_matches(pattern: str, value: str) -> None:
    ours = read_pattern(pattern)

    if ours.matches_slot(value) and not ours.is_endless:
        assert len(value) <= ours.positions


@pytest.mark.parametrize(
    ("pattern", "longest", "work"),
    [
        ("[a-z]{1,63}", 253, 63 * 63),
        ("[a-z]{1,63}", 10, 63 * 10),
        ("[a-z]+", 253, 253),
        ("(?:a{0,10}b)*", 2000, 11 * 2000),
        ("(?:a{0,10}b)*", 200_000, 400_000),
        ("a{1,}b?", 2000, 2 * 2000),
    ],
)
def test_what_matching_takes_at_most(pattern: str, longest: int, work: int) -> None:
    assert read_pattern(pattern).most_work(longest) == work


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("https://[^\\s]+", True),
        ("^https://.*$", True),
        ("(?:https://a|https://b).*", True),
        ("https://a|https://b", True),
        ("(?:h|h)ttps://", True),
        ("(?:https:/){1,2}/", False),
        ("https://a|x", False),
        ("https://a|", False),
        ("|https://a", False),
        ("(?:https://)?x", False),
        ("https?://.*", False),
        ("[hx]ttps://.*", False),
        (".ttps://.*", False),
        ("https:(?://a)?", False),
        ("https:(?:/|/x|)", False),
        ("https:/", False),
        ("a{0}", False),
        ("", False),
    ],
)
def test_a_pattern_begins_so_in_all_its_alternatives(pattern: str, expected: bool) -> None:  # noqa: FBT001  one of two answers
    assert read_pattern(pattern).begins_with("https://") == expected


@given(st.text(max_size=40), st.text(max_size=10))
def test_no_text_makes_it_fail_otherwise(pattern: str, value: str) -> None:
    """What is accepted is a pattern for Python too, and means the same."""
    try:
        ours = read_pattern(pattern)
    except PatternError:
        return
    assert ours.matches_slot(value) == bool(re.fullmatch(pattern, value, re.ASCII))


HOSTS = st.sampled_from(
    ["a", "b", ".", r"\.", "[Aa]", "[ab]", "[a.]", "(?:a|b)", r"(?:b\.)?", "a+"]
)


@given(st.lists(HOSTS, max_size=6).map("".join) | PATTERNS, st.text("abA.1", max_size=7))
@example("a|ba", "ba")
@example("(?:a|b)+", "abba")
@example(r"(?:.*\.)?ab", "a.ab")
def test_what_matches_ends_in_one_of_its_ends(pattern: str, value: str) -> None:
    ours = read_pattern(pattern)

    if value and ours.matches_slot(value):
        assert f".{value.lower()}".endswith(tuple(ours.ends()))


@pytest.mark.parametrize(
    ("pattern", "ends"),
    [
        (r"[a-z]+\.example\.com", {".example.com"}),
        (r"(?:[a-z]+\.)?example\.com", {".example.com"}),
        (r"(?:[a-z]+\.|)example\.com", {".example.com"}),
        (r"[a-z]*example\.com", {"example.com"}),
        (r"-?example\.com", {".example.com", ".-example.com"}),
        (r"example\.com", {".example.com"}),
        (r"(?:x\.example\.com)?", {".x.example.com"}),
        (r"[Ee]x[a]mple\.C[Oo]m", {".example.com"}),
        (r".+\.(?:com|org)", {".com", ".org"}),
        (r".+\.com|.+", {""}),
        (r".+\.com\d?", {""}),
        (r".+\.com\.?", {".com", ".com."}),
        (r"[^-]+\.com", {".com"}),
        (r"[a-z].com", {"com"}),
        ("", set[str]()),
        ("a{0}", set[str]()),
        (r"[a-z]+\.é", {".é"}),
    ],
)
def test_the_ends_of_all_that_matches(pattern: str, ends: set[str]) -> None:
    assert read_pattern(pattern).ends() == ends


@pytest.mark.parametrize(
    "pattern",
    [
        "(?:com)+",
        "(?:a|b|c)" * 50,
        "(?:a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q|r)+",
        "(?:ab?c?){100}",
        "(?:a|bc)+x",
        "a{300}",
    ],
)
def test_ends_are_few_and_short(pattern: str) -> None:
    ends = read_pattern(pattern).ends()

    assert 0 < len(ends) <= 16
    assert all(len(one) <= 64 for one in ends)


def test_no_more_than_a_few_automata_are_kept() -> None:
    """One may take 150 KB, and whoever publishes may write thousands."""
    for number in range(300):
        read_pattern(f"kept-{number}")

    assert patterns._read.cache_info().currsize <= 128  # pyright: ignore[reportPrivateUsage]  it is what is counted
