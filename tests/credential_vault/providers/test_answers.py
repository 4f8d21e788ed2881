"""What is shown of a provider's answer."""

import base64
from urllib.parse import quote

import pytest

from services.credential_vault.providers.answers import LONGEST, clean_answer

SECRET = "Tr0ub4dor&3/xyz"


def clean(text: str) -> str:
    return clean_answer(text, secrets=[SECRET], names=["keyturn"])


def test_a_plain_answer_is_shown_in_one_line() -> None:
    assert clean("5.7.8 Error:\r\n authentication\tfailed\x1b[31m") == (
        "5.7.8 Error: authentication failed [31m"
    )


def test_a_long_answer_is_shortened() -> None:
    assert clean("n" * LONGEST) == "n" * LONGEST
    shown = clean("no " * 5000)

    assert len(shown) == LONGEST
    assert shown.endswith("…")


@pytest.mark.parametrize(
    "echo",
    [
        SECRET,
        SECRET.lower(),
        " ".join(SECRET),
        SECRET[3:9],
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(b"\0keyturn\0" + SECRET.encode()).decode(),
        base64.b64encode(b"x" + SECRET.encode() + b"y").decode(),
        base64.b64encode(b"xy" + SECRET.encode()).decode(),
        base64.urlsafe_b64encode(b"??" + SECRET.encode() + b">>").decode(),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        quote(SECRET, safe=""),
        "keyturn",
        "user KEYTURN is locked",
    ],
)
def test_an_answer_that_gives_away_what_was_sent_is_not_shown(echo: str) -> None:
    assert clean(f"535 rejected: {echo}!") == ""


@pytest.mark.parametrize("text", ["Tr0ub is half", "turn the key", "535 5.7.8"])
def test_a_few_letters_in_common_give_nothing_away(text: str) -> None:
    assert clean(text) == text


def test_of_a_long_secret_six_letters_in_a_row_are_chance_and_twelve_are_not() -> None:
    key = "".join(f"{number:05x}" for number in range(600))

    assert clean_answer(f"it has {key[700:706]}", secrets=[key]) == f"it has {key[700:706]}"
    assert clean_answer(f"it has {key[700:712]}", secrets=[key]) == ""
    assert clean_answer(base64.b64encode(key.encode())[100:140].decode(), secrets=[key]) == ""


def test_a_short_secret_is_looked_for_as_it_is() -> None:
    assert clean_answer("the pin 123 is wrong", secrets=["123"]) == ""
    assert clean_answer("the pin is wrong", secrets=["123", ""]) == "the pin is wrong"
    assert clean_answer("pin 123456", secrets=["123456"]) == ""


def test_a_name_of_one_or_two_letters_hides_nothing() -> None:
    assert clean_answer("user bob is locked", secrets=[], names=["bob"]) == ""
    assert clean_answer("user bo is locked", secrets=[], names=["bo"]) == "user bo is locked"
