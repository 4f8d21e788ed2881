"""Who asks: signatures that hold, and every way in which one proves nothing."""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey
from keyturn_contracts.actor import (
    COMMAND_LIFETIME,
    COMMAND_TYPE,
    MAX_TOKEN_LENGTH,
    ActorError,
    actor_of_expired,
    read_claimed,
    sign_command,
    sign_token,
    verify_command,
    verify_token,
)
from keyturn_contracts.keys import SigningKey, new_signing_key

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = new_signing_key()
KEYS: dict[str, SigningKey] = {KEY.thumbprint(): KEY}
RECORD: dict[str, Any] = {
    "brand": "acme",
    "topic": "keyturn.credential-vault.commands",
    "command_id": "0199",
    "message_type": "keyturn.credential-vault.DeleteAccount.v1",
    "message_subject": "accounts/mail",
    "value": b'{"account_id":"mail"}',
    "epoch": None,
    "number": None,
}


def signed(key: SigningKey = KEY, now: datetime = NOW, **changes: Any) -> str:
    return sign_command(
        key,
        issuer="console",
        subject="ada",
        roles=["administrator"],
        now=now,
        **(RECORD | changes),
    )


def verified(token: str, at: datetime = NOW, **changes: Any) -> Any:
    return verify_command(token, KEYS, appended_at=at, **(RECORD | changes))


def problem_of(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(ActorError) as caught:
        call()
    return caught.value.problem, caught.value.claim


def forged(claims: Mapping[str, Any], **header: str) -> str:
    full = {"alg": "Ed25519", "typ": COMMAND_TYPE, "kid": KEY.thumbprint()} | header
    return jws.serialize_compact(full, json.dumps(claims), KEY, algorithms=["Ed25519"])


def claims_of(token: str) -> dict[str, Any]:
    return json.loads(jws.extract_compact(token.encode()).payload)


def test_a_signed_command_says_who_asks() -> None:
    actor = verified(signed())

    assert (actor.issuer, actor.subject, actor.brand) == ("console", "ada", "acme")
    assert actor.roles == {"administrator"}
    assert actor.engine_id is None


def test_es256_is_accepted_and_an_engine_speaks_for_itself() -> None:
    key = ECKey.generate_key("P-256", private=True)
    place: dict[str, Any] = {"epoch": 3, "number": 7}
    token = sign_command(
        key,
        issuer="acme/engines/e1",
        subject="acme/engines/e1",
        roles=[],
        now=NOW,
        **(RECORD | place),
    )

    actor = verify_command(token, {key.thumbprint(): key}, appended_at=NOW, **(RECORD | place))

    assert actor.engine_id == "e1"


@pytest.mark.parametrize(
    ("change", "claim"),
    [
        ({"brand": "rival"}, "brand"),
        ({"topic": "keyturn.workflow.commands"}, "aud"),
        ({"command_id": "0200"}, "jti"),
        ({"message_type": "keyturn.credential-vault.EditAccount.v1"}, "type"),
        ({"message_subject": "accounts/chat"}, "subject"),
        ({"value": b'{"account_id":"chat"}'}, "sha256"),
        ({"epoch": 1, "number": 1}, "epoch"),
    ],
)
def test_a_record_that_differs_from_what_was_signed_is_a_mismatch(
    change: dict[str, Any], claim: str
) -> None:
    assert problem_of(lambda: verified(signed(), **change)) == ("mismatch", claim)
    assert problem_of(lambda: verified(signed(**change))) == ("mismatch", claim)


def test_a_number_is_no_truth_value() -> None:
    token = forged(claims_of(signed(epoch=1, number=1)) | {"epoch": True})

    assert problem_of(lambda: verified(token, epoch=1, number=1)) == ("mismatch", "epoch")


def test_it_is_judged_by_when_the_broker_appended_it() -> None:
    token = signed()

    assert verified(token, NOW + COMMAND_LIFETIME).subject == "ada"
    late = NOW + COMMAND_LIFETIME + timedelta(seconds=1)
    assert problem_of(lambda: verified(token, late)) == ("expired", "")
    assert actor_of_expired(token, KEYS).subject == "ada"


def test_expired_says_that_all_else_is_right() -> None:
    late = NOW + timedelta(days=1)

    assert problem_of(lambda: verified(signed(brand="rival"), late)) == ("mismatch", "brand")


def test_a_clock_may_be_a_minute_ahead() -> None:
    assert verified(signed(), NOW - timedelta(seconds=60)).subject == "ada"
    early = NOW - timedelta(seconds=62)
    assert problem_of(lambda: verified(signed(), early)) == ("not_yet_valid", "iat")


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"exp": int(NOW.timestamp()) + 601}, ("malformed", "exp")),
        ({"exp": "soon"}, ("malformed", "exp")),
        ({"exp": 1e300}, ("malformed", "exp")),
        ({"iat": True}, ("malformed", "iat")),
        ({"iat": -5}, ("malformed", "iat")),
        ({"roles": "administrator"}, ("malformed", "roles")),
        ({"roles": ["king"]}, ("malformed", "roles")),
        ({"roles": [["operator"]]}, ("malformed", "roles")),
        ({"sub": ""}, ("malformed", "sub")),
        ({"sub": 7}, ("malformed", "sub")),
        ({"sub": "a\x00da"}, ("malformed", "sub")),
        ({"sub": "half of a pair: \ud800"}, ("malformed", "sub")),
    ],
)
def test_claims_that_make_no_sense_are_malformed(
    claims: dict[str, Any], expected: tuple[str, str]
) -> None:
    token = forged(claims_of(signed()) | claims)

    assert problem_of(lambda: verified(token)) == expected


def test_only_the_issuers_own_keys_count() -> None:
    stranger = new_signing_key()
    assert problem_of(lambda: verified(signed(stranger))) == ("unknown_key", "")

    head, payload, _ = signed().split(".")
    _, _, signature = signed(stranger).split(".")
    assert problem_of(lambda: verified(f"{head}.{payload}.{signature}")) == ("bad_signature", "")


@pytest.mark.parametrize("algorithm", ["none", "HS256", "EdDSA", "RS256"])
def test_no_other_algorithm_is_accepted(algorithm: str) -> None:
    header = {"alg": algorithm, "typ": COMMAND_TYPE, "kid": KEY.thumbprint()}
    encoded = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    _, payload, signature = signed().split(".")

    for token in (f"{encoded}.{payload}.{signature}", f"{encoded}.{payload}."):
        assert problem_of(lambda token=token: verified(token)) == ("bad_signature", "")


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b", "a.b.c.d", "ä.ö.ü", "e30.e30.e30", "x" * (MAX_TOKEN_LENGTH + 1)],
)
def test_what_is_no_token_is_malformed(token: str) -> None:
    assert problem_of(lambda: read_claimed(token))[0] == "malformed"
    assert problem_of(lambda: verified(token))[0] == "malformed"


def test_a_token_is_no_command_and_a_command_is_no_token() -> None:
    token = sign_token(
        KEY,
        issuer="console",
        subject="ada",
        brand="acme",
        roles=[],
        audience="workflow",
        now=NOW,
    )

    assert verify_token(token, KEYS, audience="workflow", now=NOW).subject == "ada"
    assert problem_of(lambda: verified(token)) == ("mismatch", "typ")
    assert problem_of(lambda: verify_token(signed(), KEYS, audience=RECORD["topic"], now=NOW)) == (
        "mismatch",
        "typ",
    )
    assert problem_of(lambda: verify_token(token, KEYS, audience="credential-vault", now=NOW)) == (
        "mismatch",
        "aud",
    )
