"""Patterns of fields: what Python's own engine says, of values of any length, in bounded work."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyturn_contracts.domains.patterns import PatternError, read_pattern

HOST_KEY = "(?:ssh-(?:ed25519|rsa)|ecdsa-sha2-nistp(?:256|384|521)) [A-Za-z0-9+/]+={0,3}"
PATTERNS = [HOST_KEY, "(a+)+$", "(?:a|ab)(?:c|bcd)d*", "[^@\\s]+@[a-z]+", "a{2,5}|b*", "(a?){9}b"]


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*$", "(a*)*$", "((a+)+)+", "(.*.*.*)a", "^(a|aa)+$"]
)
def test_what_would_take_other_engines_years_is_answered(pattern: str) -> None:
    assert read_pattern(pattern).matches_field("a" * 5000)
    assert not read_pattern(pattern).matches_field("a" * 5000 + "b")


def test_a_key_may_be_longer_than_a_host() -> None:
    key = "ssh-rsa " + "AAAAB3NzaC1yc2E+/0" * 150 + "=="

    assert read_pattern(HOST_KEY).matches_field(key)
    assert not read_pattern(HOST_KEY).matches_field(f"{key}====")
    assert not read_pattern(HOST_KEY).matches_field(f"{key}\n")


@given(st.sampled_from(PATTERNS), st.text(alphabet="abcd@ x\n", max_size=12))
def test_it_means_what_pythons_own_engine_means(pattern: str, value: str) -> None:
    assert read_pattern(pattern).matches_field(value) == bool(
        re.fullmatch(pattern, value, re.ASCII)
    )


@given(st.data(), st.sampled_from(PATTERNS))
def test_what_a_pattern_makes_matches_it(data: st.DataObject, pattern: str) -> None:
    value = data.draw(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True))

    assert read_pattern(pattern).matches_field(value)


def test_a_value_that_is_too_long_for_its_pattern_does_not_match() -> None:
    assert read_pattern("[ab]{399}[ab]*").matches_field("ab" * 500)
    assert not read_pattern("[ab]{399}[ab]*").matches_field("ab" * 501)


@pytest.mark.parametrize("pattern", ["(?=a)a", r"(a)\1", "(?i)a", r"\bword"])
def test_what_is_not_understood_is_refused(pattern: str) -> None:
    re.compile(pattern)

    with pytest.raises(PatternError, match="understood"):
        read_pattern(pattern)
