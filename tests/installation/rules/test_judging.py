"""May it connect there, may it read this: the answer, and what it rests on."""

from dataclasses import replace
from typing import Any

import pytest
from keyturn_contracts.domains import SUFFIX_LIST_VERSION
from keyturn_contracts.installation import ALL_BLOCKED
from keyturn_contracts.reaching import Judgement, Question, judge_data, judge_url
from pydantic import ValidationError

from services.installation.rules.installation import Installation
from tests.installation import given
from tests.installation.given import LOUD, domain, review
from tests.installation.rules.on_desk import added, installation


def may_connect(url: str, one: Installation | None) -> Judgement:
    return judge_url(LOUD, url, one)


def may_read(data: str, one: Installation | None) -> Judgement:
    return judge_data(LOUD, data, one)


def test_a_url_that_a_rule_covers_is_allowed_by_it() -> None:
    one = installation(review(domains=(domain("*.example.com"),)))

    found = may_connect("https://api.example.com/v1?q=1", one)

    assert (found.allowed, found.code, found.rule) == (True, "allowed", "*.example.com")
    assert (found.host, found.port, found.revision) == ("api.example.com", 443, 1)
    assert "api.example.com" in found.message


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://example.org/", "not_listed"),
        ("https://api.example.com:8443/", "port_differs"),
        ("http://api.example.com/", "scheme_refused"),
        ("https://ada@api.example.com/", "user_info"),
        ("https://10.0.0.1/", "ip_literal"),
        ("api.example.com", "url_invalid"),
    ],
)
def test_what_no_rule_covers_is_blocked_with_its_reason(url: str, code: str) -> None:
    found = may_connect(url, installation())

    assert (found.allowed, found.code, found.rule) == (False, code, None)
    assert found.message


@pytest.mark.parametrize("state", [None, "installed", "suspended", "uninstalling"])
def test_every_answer_names_the_lists_by_which_domains_are_judged(state: Any) -> None:
    one = None if state is None else replace(installation(), state=state)

    assert may_connect("https://api.example.com/", one).suffix_list == SUFFIX_LIST_VERSION
    assert may_connect("https://example.org/", one).suffix_list == SUFFIX_LIST_VERSION
    assert may_read("contacts", one).suffix_list == SUFFIX_LIST_VERSION
    assert may_read("tickets", one).suffix_list == SUFFIX_LIST_VERSION


def test_without_domains_everything_is_blocked_in_these_words() -> None:
    found = may_connect("https://api.example.com/", installation(review(domains=())))

    assert (found.allowed, found.code) == (False, "nothing_listed")
    assert found.message.startswith(ALL_BLOCKED)


def test_what_the_brand_added_may_be_reached() -> None:
    one = installation(added=added("pictures.example.org"))

    assert may_connect("https://pictures.example.org/a.png", one).rule == "pictures.example.org"


def test_an_accepted_permission_allows_reading_and_nothing_else_does() -> None:
    allowed, blocked = may_read("contacts", installation()), may_read("tickets", installation())

    assert (allowed.allowed, allowed.code, allowed.rule) == (True, "allowed", "contacts")
    assert (blocked.allowed, blocked.code, blocked.rule) == (False, "not_permitted", None)


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (None, "not_installed"),
        (installation(state="uninstalled"), "not_installed"),
        (installation(state="suspended"), "suspended"),
        (installation(state="uninstalling"), "uninstalling"),
    ],
)
def test_what_is_not_installed_reaches_and_reads_nothing(
    one: Installation | None, code: str
) -> None:
    for found in (may_connect("https://api.example.com/", one), may_read("contacts", one)):
        assert (found.allowed, found.code) == (False, code)


def test_a_rule_that_cannot_be_read_any_more_lets_nothing_through() -> None:
    one = installation(given.review(), domains=("*.*", "api.example.com"))

    assert may_connect("https://api.example.com/", one).allowed
    assert not may_connect("https://a.b/", one).allowed


@pytest.mark.parametrize("asked", [{}, {"url": "https://a.example.com", "data": "contacts"}])
def test_a_question_is_about_one_thing(asked: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Question.model_validate({"extension": LOUD, **asked})
