"""The page about domains says of each code what is true."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from keyturn_contracts.domains import (
    ConnectionCode,
    DomainError,
    DomainProblem,
    check_template,
    parse_rule,
)

from tests.contracts.domains.tables import url_cases

PAGE = (Path(__file__).parents[3] / "docs" / "domains.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([a-z_]+)` \| (.*?) \|", PAGE, flags=re.MULTILINE)
CODES = set(get_args(DomainProblem)) | set(get_args(ConnectionCode))


def examples() -> Iterator[tuple[str, str]]:
    for code, cell in ROWS:
        if code in get_args(DomainProblem) and (found := re.match(r"`([^`]+)`", cell)):
            yield code, found[1]


def judge(code: str, text: str) -> None:
    if code in {"slot_misplaced", "slot_without_pattern", "wildcard_with_slot"}:
        check_template(text, {"region": "[a-z]+", "domain": "[a-z]+"})
    else:
        parse_rule(text)


def test_each_code_has_its_row() -> None:
    assert {code for code, _ in ROWS} == CODES
    # An address and a user may be refused in a rule and in a URL.
    assert len(ROWS) == len(CODES) + len(
        set(get_args(DomainProblem)) & set(get_args(ConnectionCode))
    )


@pytest.mark.parametrize(
    ("code", "text"), [one for one in examples() if not one[0].startswith("slot_pattern")]
)
def test_what_the_page_gives_as_an_example_is_refused_so(code: str, text: str) -> None:
    with pytest.raises(DomainError) as caught:
        judge(code, text)

    assert caught.value.problem == code


def test_most_codes_have_an_example() -> None:
    assert len(list(examples())) > 20
    assert {case.code for case in url_cases()} == set(get_args(ConnectionCode))


@pytest.mark.parametrize(
    "text",
    [
        "api.example.com",
        "*.example.com",
        "acme.co.uk",
        "acme.github.io",
        "*.acme.s3.eu-west-1.amazonaws.com",
        "my_shop.example.com",
    ],
)
def test_what_the_page_says_to_write_is_accepted(text: str) -> None:
    assert f"`{text}`" in PAGE
    assert str(parse_rule(text)) == text
