"""Our own list of shared names: each has its cases, and the version changes with the list."""

from hashlib import sha256

import pytest
from keyturn_contracts.domains import SUFFIX_LIST_VERSION, DomainError, fill, parse_rule
from keyturn_contracts.domains.shared_names import (
    ONE_OWNER_EACH,
    OWNERS_AT_ANY_DEPTH,
    SHARED_NAMES_VERSION,
)
from publicsuffixlist import PublicSuffixList

from tests.contracts.domains.tables import rule_cases

NAMES = sorted([*ONE_OWNER_EACH, *OWNERS_AT_ANY_DEPTH])
CASES = {(case.text, case.reason is not None): case.outcome for case in rule_cases()}
LABEL = "[a-z0-9-]+"


def problem_of(text: str) -> str:
    with pytest.raises(DomainError) as caught:
        parse_rule(text)
    return caught.value.problem


@pytest.mark.parametrize("name", NAMES)
def test_each_name_has_its_cases_in_the_table(name: str) -> None:
    assert CASES[f"*.{name}", False] == "wildcard_spans_owners"
    assert CASES[f"*.{name}", True] == "accepted"
    assert CASES[name, False] == "public_suffix"
    assert any(
        text.endswith(f".{name}") and not text.startswith("*") and outcome == "accepted"
        for (text, _), outcome in CASES.items()
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_slot_may_stand_below_each(name: str) -> None:
    filled = fill(f"{{bucket}}.{name}", {"bucket": LABEL}, {"bucket": "acme"})

    assert str(filled) == f"acme.{name}"


@pytest.mark.parametrize("name", sorted(OWNERS_AT_ANY_DEPTH))
def test_a_wildcard_is_refused_however_far_below_it_stands(name: str) -> None:
    assert problem_of(f"*.a.{name}") == "wildcard_spans_owners"
    assert problem_of(f"*.a.b.c.{name}") == "wildcard_spans_owners"
    assert str(parse_rule(f"*.not{name}")) == f"*.not{name}"


@pytest.mark.parametrize("name", sorted(ONE_OWNER_EACH))
def test_below_one_owner_a_wildcard_is_that_owner_s(name: str) -> None:
    assert str(parse_rule(f"*.acme.{name}")) == f"*.acme.{name}"


def test_a_name_is_on_one_list_alone() -> None:
    known = PublicSuffixList(accept_unknown=False)

    # What joined the Public Suffix List is taken off ours.
    assert [name for name in NAMES if known.is_public(name)] == []
    assert not ONE_OWNER_EACH.keys() & OWNERS_AT_ANY_DEPTH.keys()


def test_who_changes_the_list_changes_its_version() -> None:
    """Sets both: otherwise decisions by different lists are on record as by the same."""
    content = "\n".join([*sorted(ONE_OWNER_EACH), "", *sorted(OWNERS_AT_ANY_DEPTH)])

    assert (SHARED_NAMES_VERSION, sha256(content.encode()).hexdigest()[:12]) == (
        "2026-11-25.2",
        "a20facc14d03",
    )
    assert SUFFIX_LIST_VERSION.endswith(f", keyturn {SHARED_NAMES_VERSION}")
