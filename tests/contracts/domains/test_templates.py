"""Rules with slots: how they are judged, and what accounts' settings make of them."""

import pytest
from keyturn_contracts.domains import (
    DomainError,
    Rule,
    check_template,
    fill,
    parse_rule,
    parse_template,
)

from tests.contracts.domains.tables import TemplateCase, template_cases

TEMPLATES = list(template_cases("templates.tsv"))
FILLS = list(template_cases("fills.tsv"))


def named(case: TemplateCase) -> str:
    return f"line {case.line}"


def stored(case: TemplateCase) -> str:
    check_template(case.rule, case.slots, private=case.private, wide_because=case.reason)
    if case.slots:
        return str(parse_template(case.rule, case.slots, private=case.private))
    return str(parse_rule(case.rule, private=case.private, wide_because=case.reason))


def filled(case: TemplateCase) -> Rule | None:
    return fill(case.rule, case.slots, case.values, private=case.private, wide_because=case.reason)


def attempt(case: TemplateCase) -> Rule | DomainError | None:
    try:
        return filled(case)
    except DomainError as error:
        return error


@pytest.mark.parametrize("case", TEMPLATES, ids=named)
def test_a_manifests_rule_is_judged_as_the_table_says(case: TemplateCase) -> None:
    try:
        outcome = stored(case)
    except DomainError as error:
        outcome = error.problem

    assert outcome == case.outcome


@pytest.mark.parametrize("case", FILLS, ids=named)
def test_settings_give_what_the_table_says(case: TemplateCase) -> None:
    found = attempt(case)
    if isinstance(found, DomainError):
        assert found.problem == case.outcome
    else:
        assert ("none" if found is None else str(found)) == case.outcome


@pytest.mark.parametrize("case", [one for one in FILLS if "{" in one.rule], ids=named)
def test_no_value_leads_anywhere_but_below_what_is_fixed(case: TemplateCase) -> None:
    rule = attempt(case)
    if not isinstance(rule, Rule):
        return
    fixed = parse_template(case.rule, case.slots, private=case.private).name
    assert not rule.wildcard
    assert rule.host == fixed or rule.host.endswith(f".{fixed}") or not fixed


@pytest.mark.parametrize("case", [*TEMPLATES, *FILLS], ids=named)
def test_a_sentence_can_be_shown_to_anybody(case: TemplateCase) -> None:
    found = attempt(case)
    if not isinstance(found, DomainError):
        return
    assert found.message.isprintable()
    assert len(found.message) < 450
    if found.problem == "slot_value":
        # A setting may hold what somebody pasted by mistake.
        assert not [one for one in case.values.values() if len(one) > 9 and one in found.message]


def test_a_template_is_shown_in_both_spellings() -> None:
    international = parse_template("{shop}.bücher.de:8443", {"shop": "[a-z]+"})
    ascii_ = parse_template("{host}:{port}", {"host": ".+", "port": r"\d+"})

    assert international.shown == "{shop}.bücher.de:8443 ({shop}.xn--bcher-kva.de:8443)"
    assert ascii_.shown == str(ascii_) == "{host}:{port}"


def test_a_template_is_read_once_and_filled_often() -> None:
    template = parse_template("{site}.example.com", {"site": "[a-z]+"})

    assert [template.fill({"site": one}) for one in ("a", "b")] == [
        Rule("a.example.com"),
        Rule("b.example.com"),
    ]
    assert template.fill({}) is None


def test_the_patterns_problem_is_named() -> None:
    with pytest.raises(DomainError, match=r"pattern of `site` cannot be used \(a bracket is not"):
        check_template("{site}.example.com", {"site": "(a"})
