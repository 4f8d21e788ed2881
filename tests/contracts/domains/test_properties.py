"""What holds of domain rules for every text, and of lists of them for every URL."""

from ipaddress import IPv4Address, IPv6Address

import ada_url
from hypothesis import given, settings
from hypothesis import strategies as st
from keyturn_contracts.domains import (
    DomainError,
    Rule,
    RuleSet,
    check_template,
    fill,
    parse_rule,
    parse_template,
    read_rule,
)

from tests.contracts.domains.tables import rule_cases

SEEDS = [case.text for case in rule_cases()]
ACCEPTED = [case.text for case in rule_cases() if case.outcome == "accepted"]
LETTERS = ["", "x", "A", "0", "é", "д", "中", "カ", "\uff41", "a.", "*.", "xn--bcher-kva."]
PIECES = [
    *(
        ".",
        "-",
        "_",
        "*",
        "*.",
        ":",
        "/",
        "@",
        "%",
        "xn--",
        "[",
        "]",
        "{",
        "}",
        "\\",
        "?",
        "#",
        " ",
    ),
    *(
        "a",
        "b",
        "com",
        "co.uk",
        "example",
        "github.io",
        "localhost",
        "amazonaws",
        "0x7f",
        "127",
        "1",
    ),
    *("ü", "ß", "а", "е", "κ", "中", "ー", "ノ", "ا", "א", "ı", "\u0301", "\u200d", "\u00ad"),  # noqa: RUF001  that is the point
    *("\u3002", "\uff0e", "\uff0a", "\uff11", "\x00", "\t", "\n", "\ud800", "443", "0", "65536"),
]


def _spoilt(text: str, at: int, piece: str) -> str:
    return text[:at] + piece + text[at:]


def _host(labels: list[str], end: str) -> str:
    return ".".join([*labels, end])


ANYTHING = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from(PIECES), max_size=10).map("".join),
    st.builds(
        _spoilt,
        st.sampled_from(SEEDS),
        st.integers(0, 20),
        st.one_of(st.sampled_from(PIECES), st.characters()),
    ),
    # Much of this is a rule.
    st.builds(
        _spoilt,
        st.sampled_from(ACCEPTED),
        st.integers(0, 3),
        st.one_of(st.sampled_from(LETTERS), st.characters(categories=["Ll", "Lo"])),
    ),
)
LABELS = st.sampled_from(["a", "b", "api", "eu", "a_b", "x-1", "xn--bcher-kva", "127", "0x7f"])
ENDS = st.sampled_from(["example.com", "example.co.uk", "acme.github.io", "xn--bcher-kva.de"])
HOSTS = st.builds(_host, st.lists(LABELS, max_size=3), ENDS)
PORTS = st.sampled_from([443, 443, 22, 8443])
RULES = st.builds(Rule, HOSTS, PORTS, st.booleans())


def accepted(text: str) -> Rule | None:
    try:
        return parse_rule(text)
    except DomainError:
        return None


@settings(max_examples=600)
@given(ANYTHING)
def test_a_rule_has_one_spelling(text: str) -> None:
    rule = accepted(text)
    if rule is None:
        return
    assert parse_rule(str(rule)) == rule
    assert read_rule(str(rule)) == rule
    assert str(parse_rule(str(rule))) == str(rule)
    assert rule.host.isascii()
    assert rule.host == rule.host.lower()
    assert rule.covers(rule)


@settings(max_examples=600)
@given(ANYTHING)
def test_a_browser_goes_where_the_rule_says(text: str) -> None:
    rule = accepted(text)
    if rule is None:
        return
    read = ada_url.parse_url(f"https://{rule.host}:{rule.port}/", ("hostname", "host_type", "port"))
    assert read.get("hostname") == rule.host
    assert read.get("host_type") == ada_url.HostType.DEFAULT
    assert (read.get("port") or "443") == str(rule.port)
    if not rule.wildcard:
        as_typed = ada_url.parse_url(f"https://{text.strip()}", ("hostname",)).get("hostname", "")
        assert as_typed.removesuffix(".") == rule.host


@settings(max_examples=300)
@given(ANYTHING, ANYTHING, st.dictionaries(st.sampled_from(["a", "b"]), ANYTHING), ANYTHING)
def test_nothing_but_a_refusal_is_ever_raised(
    text: str, pattern: str, values: dict[str, str], private: str
) -> None:
    for attempt in (
        lambda: read_rule(text),
        lambda: parse_rule(text, private=[private, text], wide_because=pattern),
        lambda: check_template(text, {"a": pattern}),
        lambda: check_template("{a}." + text, {"a": pattern}),
        lambda: fill(text, {"a": pattern}, values, private=[private]),
        lambda: fill("{a}.example.com:{b}", {"a": pattern, "b": "[0-9]+"}, values),
    ):
        try:
            attempt()
        except DomainError as error:
            assert error.message.isprintable()  # noqa: PT017  each attempt may be refused or not
    RuleSet([Rule("example.com")]).decide(text)
    RuleSet([Rule("example.com")]).decide(f"https://{text}")
    RuleSet([Rule("example.com")]).allows(text, 443)


@settings(max_examples=300)
@given(
    st.sampled_from(["{a}.example.com", "{a}.{b}.example.com", "{a}.github.io"]), ANYTHING, ANYTHING
)
def test_no_value_leads_beyond_what_is_fixed(rule: str, first: str, second: str) -> None:
    any_text = "(?:.|\\s)*"
    slots = {name: any_text for name in ("a", "b") if f"{{{name}}}" in rule}
    try:
        filled = fill(rule, slots, {"a": first, "b": second})
    except DomainError:
        return
    if filled is None:
        return
    fixed = parse_template(rule, slots).name
    assert filled.host.endswith(f".{fixed}")
    assert not filled.wildcard
    assert filled.port == 443
    given_labels = sum(values.count(".") + 1 for values in [first, second][: len(slots)])
    assert filled.host.count(".") == given_labels + fixed.count(".")
    assert accepted(str(filled)) == filled


def spelt(address: IPv4Address, style: int) -> str:
    number = int(address)
    first, rest = number >> 24, number & 0xFFFFFF
    return [
        str(address),
        str(number),
        hex(number),
        f"0{number:o}",
        f"{first}.{rest}",
        f"0x{first:x}.0{rest:o}",
        ".".join(f"0{int(one):o}" for one in str(address).split(".")),
        ".".join(hex(int(one)) for one in str(address).split(".")),
        str(address).translate(str.maketrans("0123456789.", "０１２３４５６７８９。")),  # noqa: RUF001  as a browser takes them
        f"[::ffff:{address}]",
        f"{address}.",
    ][style]


@given(
    st.lists(RULES, max_size=20),
    st.integers(0, 2**32 - 1).map(IPv4Address),
    st.integers(0, 10),
    st.integers(0, 2**128 - 1).map(IPv6Address),
    PORTS,
)
def test_no_address_is_a_rule_or_matches_one(
    rules: list[Rule], four: IPv4Address, style: int, six: IPv6Address, port: int
) -> None:
    listed = RuleSet([*rules, Rule("example.com")])
    for text in (spelt(four, style), f"[{six}]", f"[{six.exploded}]"):
        found = listed.decide(f"https://{text}:{port}/")
        assert found.code == "ip_literal"
        assert not listed.allows(text, port)
        for written in (text, f"{text}:{port}", f"*.{text}"):
            assert accepted(written) is None
    assert accepted(str(six)) is None


def naive(rules: list[Rule], host: str, port: int) -> bool:
    def matches(rule: Rule) -> bool:
        return host.endswith(f".{rule.host}") if rule.wildcard else host == rule.host

    return any(rule.port == port and matches(rule) for rule in rules)


@settings(max_examples=400)
@given(st.lists(RULES, max_size=30), st.lists(st.tuples(HOSTS, PORTS), min_size=1, max_size=8))
def test_a_list_says_what_looking_at_each_rule_says(
    rules: list[Rule], asked: list[tuple[str, int]]
) -> None:
    listed = RuleSet(rules)
    for host, port in asked:
        found = listed.decide(f"https://{host}:{port}/x")
        assert found.allowed == naive(rules, host, port)
        assert listed.allows(host, port) == found.allowed
        if found.allowed:
            assert found.rule in rules
            assert found.rule is not None
            assert naive([found.rule], host, port)


@given(RULES, RULES, st.lists(HOSTS, min_size=1, max_size=6), PORTS)
def test_what_is_covered_reaches_nothing_more(
    wide: Rule, narrow: Rule, hosts: list[str], port: int
) -> None:
    if wide.covers(narrow):
        for host in [*hosts, narrow.host, f"x.{narrow.host}"]:
            assert naive([wide], host, port) or not naive([narrow], host, port)


@given(ANYTHING)
def test_a_path_changes_nothing_about_a_host(path: str) -> None:
    listed = RuleSet([Rule("example.com")])
    found = listed.decide(f"https://example.com/{path}")
    elsewhere = listed.decide(f"https://example.org/{path}")

    assert found.code in {"allowed", "url_invalid"}
    assert elsewhere.code in {"not_listed", "url_invalid"}
