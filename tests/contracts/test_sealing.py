"""Sealed credentials open for whom and for what they were made, and for nothing else."""

import base64
import json
import pickle
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc import jwe
from joserfc.jwe import JWERegistry
from keyturn_contracts.keys import (
    SealingKey,
    new_engine_sealing_key,
    new_transport_key,
)
from keyturn_contracts.receipt import digest_of_receipt, is_receipt, receipt_for
from keyturn_contracts.sealing import (
    MAX_SEALED_LENGTH,
    SealedError,
    key_id_of,
    open_for_engine,
    open_for_vault,
    seal_for_engine,
    seal_for_vault,
)
from pydantic import SecretStr

CANARY = "canary-71f3"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TRANSPORT = new_transport_key()
KEYS: Mapping[str, SealingKey] = {TRANSPORT.thumbprint(): TRANSPORT}
IN: dict[str, str] = {"brand": "acme", "account_id": "mail", "command_id": "0199"}
ENGINE = new_engine_sealing_key()
OUT: dict[str, Any] = {"brand": "acme", "account_id": "mail", "version": 2, "engine_id": "e1"}


def sealed_in() -> str:
    return seal_for_vault({"username": "ada", "password": CANARY}, TRANSPORT, **IN)


def sealed_out() -> str:
    return seal_for_engine(
        {"password": SecretStr(CANARY)}, {"host": "mail.test"}, "ab" * 32, ENGINE, now=NOW, **OUT
    )


def problem_of(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(SealedError) as caught:
        call()
    assert CANARY not in repr(caught.value)
    return caught.value.problem, caught.value.header


def test_the_vault_opens_what_was_sealed_for_it() -> None:
    fields = open_for_vault(sealed_in(), KEYS, **IN)

    assert fields["password"].get_secret_value() == CANARY
    assert CANARY not in repr(fields)
    assert key_id_of(sealed_in()) == TRANSPORT.thumbprint()


@pytest.mark.parametrize(
    ("change", "header"),
    [
        ({"brand": "rival"}, "brand"),
        ({"account_id": "chat"}, "account"),
        ({"command_id": "0200"}, "command"),
    ],
)
def test_a_copy_in_another_command_is_worth_nothing(change: dict[str, str], header: str) -> None:
    assert problem_of(lambda: open_for_vault(sealed_in(), KEYS, **(IN | change))) == (
        "wrong_context",
        header,
    )


def test_an_engine_opens_its_own_version_only() -> None:
    fetched = open_for_engine(sealed_out(), ENGINE, **OUT)

    assert fetched.fields["password"].get_secret_value() == CANARY
    assert (fetched.version, fetched.settings, fetched.receipt) == (
        2,
        {"host": "mail.test"},
        "ab" * 32,
    )
    assert CANARY not in repr(fetched)
    changes: list[tuple[dict[str, Any], str]] = [
        ({"version": 1}, "version"),
        ({"engine_id": "e2"}, "engine"),
        ({"account_id": "chat"}, "account"),
        ({"brand": "rival"}, "brand"),
    ]
    for change, header in changes:
        assert problem_of(
            lambda change=change: open_for_engine(sealed_out(), ENGINE, **(OUT | change))
        ) == ("wrong_context", header)
    other = new_engine_sealing_key()
    assert problem_of(lambda: open_for_engine(sealed_out(), other, **OUT)) == ("unknown_key", "")


def test_an_altered_header_does_not_open() -> None:
    mine, theirs = sealed_in(), seal_for_vault({}, TRANSPORT, **(IN | {"account_id": "chat"}))
    _, *rest = mine.split(".")
    swapped = ".".join([theirs.split(".")[0], *rest])

    assert problem_of(lambda: open_for_vault(swapped, KEYS, **(IN | {"account_id": "chat"}))) == (
        "does_not_open",
        "",
    )


@pytest.mark.parametrize("curve", ["P-256", "P-000", ["X25519"], None])
def test_a_sender_s_key_on_another_curve_does_not_open(curve: object) -> None:
    header, *rest = sealed_in().split(".")
    told = json.loads(base64.urlsafe_b64decode(header + "=="))
    told["epk"]["crv"] = curve
    altered = base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")

    assert problem_of(lambda: open_for_vault(".".join([altered, *rest]), KEYS, **IN)) == (
        "does_not_open",
        "",
    )


def test_a_sealing_that_names_our_key_with_another_algorithm_is_refused() -> None:
    header = {
        "alg": "ECDH-ES",
        "enc": "A256GCM",
        "kid": TRANSPORT.thumbprint(),
        "brand": "acme",
        "account": "mail",
        "command": "0199",
    }
    registry = JWERegistry(algorithms=["ECDH-ES", "A256GCM"], strict_check_header=False)
    made = jwe.encrypt_compact(header, b"{}", TRANSPORT, registry=registry)

    assert problem_of(lambda: open_for_vault(made, KEYS, **IN)) == ("malformed", "alg")


@pytest.mark.parametrize(
    "text", ["", "a", "....", "a.b.c.d.e", "W10.a.b.c.d", "ä", "x" * (MAX_SEALED_LENGTH + 1)]
)
def test_what_is_not_sealed_at_all_is_malformed_or_unknown(text: str) -> None:
    assert problem_of(lambda: open_for_vault(text, KEYS, **IN))[0] in {"malformed", "unknown_key"}


@pytest.mark.parametrize("content", [b"[]", b"x", b'{"password": {"a": 1}}', b"\xff", b""])
def test_content_that_is_no_set_of_fields_is_malformed(content: bytes) -> None:
    header = {
        "alg": "ECDH-ES+A256KW",
        "enc": "A256GCM",
        "kid": TRANSPORT.thumbprint(),
        "brand": "acme",
        "account": "mail",
        "command": "0199",
    }
    registry = JWERegistry(algorithms=["ECDH-ES+A256KW", "A256GCM"], strict_check_header=False)
    made = jwe.encrypt_compact(header, content, TRANSPORT, registry=registry)

    assert problem_of(lambda: open_for_vault(made, KEYS, **IN)) == ("malformed", "")


def test_a_multi_recipient_sealing_is_no_compact_one() -> None:
    many = jwe.GeneralJSONEncryption({"enc": "A256GCM"}, b"{}")
    for key in (new_transport_key(), TRANSPORT):
        many.add_recipient({"alg": "ECDH-ES+A256KW", "kid": key.thumbprint()}, key)
    registry = JWERegistry(algorithms=["ECDH-ES+A256KW", "A256GCM"])
    text = json.dumps(jwe.encrypt_json(many, None, registry=registry))

    assert problem_of(lambda: open_for_vault(text, KEYS, **IN)) == ("malformed", "")


def test_a_fetched_credential_does_not_pickle() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(open_for_engine(sealed_out(), ENGINE, **OUT))


def test_a_receipt_is_for_one_version_of_one_account_of_one_engine() -> None:
    key = b"k" * 32
    receipt = receipt_for(key, **OUT)
    announced = digest_of_receipt(receipt)

    assert is_receipt(receipt, announced)
    assert announced != receipt
    changes: list[dict[str, Any]] = [
        {"version": 3},
        {"engine_id": "e2"},
        {"account_id": "chat"},
        {"brand": "rival"},
        # Without the lengths these two would run together to the same text.
        {"brand": "acmem", "account_id": "ail"},
    ]
    for change in changes:
        assert not is_receipt(receipt_for(key, **(OUT | change)), announced)
    assert not is_receipt(receipt_for(b"j" * 32, **OUT), announced)
