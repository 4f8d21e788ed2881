"""What a list of rules says of URLs, against a table of cases."""

import re
from typing import get_args

import pytest
from keyturn_contracts.domains import (
    SUFFIX_LIST_VERSION,
    Connection,
    ConnectionCode,
    Rule,
    RuleSet,
    parse_rule,
    read_rule,
)
from keyturn_contracts.installation import ALL_BLOCKED

from tests.contracts.domains.tables import UrlCase, url_cases

CASES = list(url_cases())


def named(case: UrlCase) -> str:
    return f"line {case.line}"


def decided(case: UrlCase) -> Connection:
    return RuleSet(read_rule(one) for one in case.rules).decide(case.url)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_url_is_decided_as_the_table_says(case: UrlCase) -> None:
    found = decided(case)

    assert found.code == case.code
    assert found.allowed == (case.code == "allowed")
    assert (found.rule is not None) == found.allowed
    if case.rule is not None:
        assert str(found.rule or found.near) == case.rule


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_sentence_repeats_nothing_that_may_be_secret(case: UrlCase) -> None:
    sentence = decided(case).sentence

    assert sentence.isprintable()
    assert sentence.endswith(".")
    assert "secret" not in sentence
    assert (ALL_BLOCKED in sentence) == (not case.rules)


@pytest.mark.parametrize("case", [one for one in CASES if one.rules], ids=named)
def test_who_asks_by_host_and_port_hears_the_same(case: UrlCase) -> None:
    rules, found = RuleSet(read_rule(one) for one in case.rules), decided(case)

    if found.host is not None and found.port is not None:
        assert rules.allows(found.host, found.port) == found.allowed


def test_each_code_has_its_cases() -> None:
    assert {case.code for case in CASES} == set(get_args(ConnectionCode))


def test_the_version_of_both_lists_goes_with_a_decision() -> None:
    assert RuleSet([]).decide("https://example.com").suffix_list == SUFFIX_LIST_VERSION
    # The last part of the one is its date; the other is a date, and which of that day's it is.
    assert re.fullmatch(
        r"publicsuffixlist [0-9.]+\.[0-9]{8}, keyturn [0-9]{4}-[0-9]{2}-[0-9]{2}(\.[0-9]+)?",
        SUFFIX_LIST_VERSION,
    )


def test_who_connects_is_told_where() -> None:
    found = RuleSet([parse_rule("*.bücher.de")]).decide("https://WWW.Bücher.DE./x")

    assert (found.host, found.port) == ("www.xn--bcher-kva.de", 443)
    assert found.rule == Rule("xn--bcher-kva.de", wildcard=True)
    assert found.sentence == (
        "`www.bücher.de (www.xn--bcher-kva.de)` may be reached by the rule `*.xn--bcher-kva.de`."
    )


def test_a_port_that_differs_is_said() -> None:
    found = RuleSet([parse_rule("example.com:8443")]).decide("https://example.com/")

    assert found.sentence == (
        "`example.com` is listed as `example.com:8443`, which is not for port 443."
    )


def test_a_wildcard_says_that_it_is_not_for_the_name_itself() -> None:
    found = RuleSet([parse_rule("*.example.com")]).decide("https://example.com/")

    assert found.code == "not_listed"
    assert "`*.example.com` is for what is below `example.com`" in found.sentence


@pytest.mark.parametrize(
    ("host", "port", "allowed"),
    [
        ("a.example.com", 443, True),
        ("A.Example.COM.", 443, True),
        ("\uff41.example.com", 443, True),
        ("example.com", 443, False),
        ("a.example.com", 8443, False),
        ("a.example.com:443", 443, False),
        ("evil.com/.example.com", 443, False),
        ("evil.com\\.example.com", 443, False),
        ("evil.com?.example.com", 443, False),
        ("evil.com#.example.com", 443, False),
        ("evil.com@a.example.com", 443, False),
        ("evil.com\x00.example.com", 443, False),
        ("evil%2ecom.example.com", 443, False),
        ("a..example.com", 443, False),
        (".example.com", 443, False),
        ("*.example.com", 443, False),
        ("127.0.0.1", 443, False),
        ("[::1]", 443, False),
        ("::1", 443, False),
        ("", 443, False),
        (" a.example.com", 443, False),
        ("\ud800.example.com", 443, False),
    ],
)
def test_a_host_and_a_port_may_be_asked_about(host: str, port: int, allowed: bool) -> None:  # noqa: FBT001  a column
    assert RuleSet([parse_rule("*.example.com")]).allows(host, port) is allowed


def test_rules_that_are_given_twice_are_there_once() -> None:
    rule = parse_rule("example.com")

    assert RuleSet([rule, rule]).rules == (rule,)
