"""What `parse_rule` makes of what people write, against a table of cases."""

from collections import Counter
from typing import get_args

import ada_url
import idna
import pytest
from keyturn_contracts.domains import (
    DomainError,
    DomainProblem,
    Rule,
    parse_rule,
    read_rule,
)

from tests.contracts.domains.tables import RuleCase, rule_cases, template_cases

CASES = list(rule_cases())
ACCEPTED = [case for case in CASES if case.outcome == "accepted"]
REFUSED = [case for case in CASES if case.outcome != "accepted"]

CYRILLIC = "\u0430\u0440\u0440\u04cf\u0435"
"""Five letters that look like `apple`."""


def named(case: RuleCase) -> str:
    return f"line {case.line}"


def refused(text: str) -> DomainError:
    with pytest.raises(DomainError) as caught:
        parse_rule(text)
    return caught.value


@pytest.mark.parametrize("case", ACCEPTED, ids=named)
def test_what_is_accepted_is_stored_in_one_spelling(case: RuleCase) -> None:
    rule = parse_rule(case.text, private=case.private, wide_because=case.reason)

    assert str(rule) == case.stored
    assert parse_rule(str(rule), private=case.private, wide_because=case.reason) == rule
    assert read_rule(str(rule)) == rule


@pytest.mark.parametrize("case", REFUSED, ids=named)
def test_what_is_refused_says_why(case: RuleCase) -> None:
    with pytest.raises(DomainError) as caught:
        parse_rule(case.text, private=case.private, wide_because=case.reason)

    message = caught.value.message
    assert caught.value.problem == case.outcome
    assert str(caught.value) == message
    # For anybody to read, whatever was typed, and with what to write instead.
    assert message.isprintable()
    assert len(message) < 450
    assert message.endswith(".")
    assert any(words in message for words in ("write", "check how", "check the"))


@pytest.mark.parametrize("case", ACCEPTED, ids=named)
def test_a_browser_and_idna_2008_find_the_same_name_in_it(case: RuleCase) -> None:
    host = parse_rule(case.text, private=case.private, wide_because=case.reason).host

    assert ada_url.parse_url(f"https://{host}/", ("hostname",)).get("hostname") == host
    for label in host.split("."):
        if label.startswith("xn--"):
            assert idna.alabel(idna.ulabel(label)).decode() == label


def test_the_table_is_long_and_repeats_nothing() -> None:
    assert len(CASES) > 1500
    asked = Counter((case.text, case.private, case.reason) for case in CASES)
    assert [text for text, times in asked.items() if times > 1] == []


def test_each_problem_has_its_cases() -> None:
    in_tables = {case.outcome for case in CASES} | {
        case.outcome for table in ("templates.tsv", "fills.tsv") for case in template_cases(table)
    }

    assert set(get_args(DomainProblem)) <= in_tables


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("https://api.example.com/v1?token=hunter2", "api.example.com"),
        ("https://ada:hunter2@api.example.com:8443/", "api.example.com:8443"),
        ("ada:hunter2@API.example.com", "api.example.com"),
        ("api.example.com/v1/hunter2", "api.example.com"),
        ("*.example.com/hunter2", "*.example.com"),
        ("sftp://ada:hunter2@SFTP.example.com:22/in", "sftp.example.com:22"),
        ("https://bücher.de/hunter2", "xn--bcher-kva.de"),
    ],
)
def test_what_is_left_of_a_url_is_offered_without_its_secrets(text: str, instead: str) -> None:
    message = refused(text).message

    assert f"`{instead}`" in message
    assert "hunter2" not in message
    assert "ada" not in message


@pytest.mark.parametrize(
    "text", ["https://10.0.0.1/x", "https://localhost", "user@localhost", "com/x", "https://", "@"]
)
def test_what_is_left_is_not_offered_where_it_would_be_refused(text: str) -> None:
    assert "such as `api.example.com`" in refused(text).message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("*.com", "`acme.com`"),
        ("github.io", "`acme.github.io`"),
        ("*.amazonaws.com", "`acme.amazonaws.com`"),
        ("crm", "`crm.example.com`"),
        ("acme.corpx", "`.corpx`"),
        ("exa%mple.com", "“%” (U+0025 PERCENT SIGN)"),
        ("exa\u200bmple.com", "U+200B ZERO WIDTH SPACE"),
        ("example.com\uff0fx", "“\uff0f” (U+FF0F FULLWIDTH SOLIDUS)"),
        ("exa\x1bmple.com", "U+001B "),
        (".example.com", "`*.example.com`"),
        (f"{CYRILLIC}.com", f"`{CYRILLIC}.com (xn--80ak6aa92e.com)`"),
        ("xn--80ak6aa92e.com", f"`{CYRILLIC}.com (xn--80ak6aa92e.com)`"),
    ],
)
def test_a_sentence_names_what_is_meant(text: str, part: str) -> None:
    assert part in refused(text).message


def test_a_long_name_is_shortened_in_a_sentence() -> None:
    long = ".".join(["a" * 60] * 3)

    message = refused(f"{long}.corpx").message

    assert "…" in message
    assert long not in message


def test_what_is_longer_than_any_rule_is_not_read() -> None:
    assert refused("a" * 601).problem == "too_long"
    assert refused("/" * 601).problem == "too_long"
    assert refused("https://example.com/" + "a" * 600).problem == "too_long"


def test_a_name_of_253_characters_is_the_longest() -> None:
    longest = ".".join(["a" * 63] * 3 + ["b" * 57]) + ".com"
    assert len(longest) == 253

    assert parse_rule(longest).host == longest
    assert parse_rule(f"{longest}.").host == longest
    assert refused(f"b{longest}").problem == "too_long"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("example.com", "example.com"),
        ("*.example.com:8443", "*.example.com:8443"),
        ("bücher.de", "bücher.de (xn--bcher-kva.de)"),
        ("*.bücher.de:8443", "*.bücher.de:8443 (*.xn--bcher-kva.de:8443)"),
        ("www.xn--bcher-kva.de", "www.bücher.de (www.xn--bcher-kva.de)"),
        ("москва.рф", "москва.рф (xn--80adxhks.xn--p1ai)"),
        ("שלום.co.il", "שלום.co.il (xn--9dbne9b.co.il)"),
    ],
)
def test_a_rule_is_shown_in_both_spellings_where_there_are_two(text: str, shown: str) -> None:
    assert parse_rule(text).shown == shown


@pytest.mark.parametrize("reason", [None, "", " ", "\n\t"])
def test_no_words_are_no_reason(reason: str | None) -> None:
    with pytest.raises(DomainError) as caught:
        parse_rule("*.amazonaws.com", wide_because=reason)

    assert caught.value.problem == "wildcard_spans_owners"


def test_what_was_stored_is_read_without_asking_whose_it_is() -> None:
    assert read_rule("*.amazonaws.com") == Rule("amazonaws.com", wildcard=True)
    assert read_rule("localhost:2525") == Rule("localhost", 2525)
    assert read_rule("git.acme.corpx") == Rule("git.acme.corpx")


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "0x7f.1", "::1", "*", "", "a b", "{host}", "https://x.com", "x.com:0"]
)
def test_what_is_no_name_is_not_read_either(text: str) -> None:
    with pytest.raises(DomainError):
        read_rule(text)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("example.com", "example.com"),
        ("*.example.com", "*.example.com"),
        ("*.example.com", "a.example.com"),
        ("*.example.com", "a.b.example.com"),
        ("*.example.com", "*.a.example.com"),
        ("*.example.com:8443", "a.example.com:8443"),
    ],
)
def test_a_rule_covers_what_is_within_it(wide: str, narrow: str) -> None:
    assert parse_rule(wide).covers(parse_rule(narrow))


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("*.example.com", "example.com"),
        ("example.com", "*.example.com"),
        ("example.com", "a.example.com"),
        ("*.a.example.com", "*.example.com"),
        ("*.example.com", "notexample.com"),
        ("*.example.com", "*.notexample.com"),
        ("*.example.com", "a.example.com:8443"),
        ("example.com:8443", "example.com"),
    ],
)
def test_a_rule_does_not_cover_what_is_beyond_it(wide: str, narrow: str) -> None:
    assert not parse_rule(wide).covers(parse_rule(narrow))
