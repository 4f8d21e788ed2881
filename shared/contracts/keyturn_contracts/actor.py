"""Who asks: the signed actor of a command, and the token of an HTTP request."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Literal

from joserfc import jws
from joserfc.errors import JoseError
from pydantic import TypeAdapter, ValidationError

from keyturn_contracts.keys import SigningKey, algorithm_of

Role = Literal["operator", "publisher", "administrator", "member"]
BRAND_ROLES: frozenset[Role] = frozenset({"administrator", "member"})
"""Those of a brand's own people, on which its list of members has a say."""
_ROLES = TypeAdapter(frozenset[Role])

COMMAND_TYPE = "keyturn-command+jwt"
TOKEN_TYPE = "keyturn-token+jwt"  # noqa: S105  a media type
ALGORITHMS = ("Ed25519", "ES256")

COMMAND_LIFETIME = timedelta(minutes=10)
TOKEN_LIFETIME = timedelta(minutes=5)
CLOCK_SKEW = timedelta(seconds=60)
"""How far ahead of the broker's (or the server's) clock an `iat` may lie."""
MAX_TOKEN_LENGTH = 8192

ActorProblem = Literal[
    "malformed",
    "unknown_issuer",
    "unknown_key",
    "bad_signature",
    "mismatch",
    "not_yet_valid",
    "expired",
    "not_vouched",
]
"""`mismatch`: a claim differs from the record that it came with. `not_vouched`: the issuer may not
vouch for this brand or this role. All but `expired` say nothing reliable about the sender."""


class ActorError(ValueError):
    """A signature that proves nothing. Its text names the claim at fault, never its content."""

    def __init__(self, problem: ActorProblem, claim: str = "") -> None:
        super().__init__(f"{problem}: {claim}" if claim else problem)
        self.problem: ActorProblem = problem
        self.claim = claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks, as their issuer vouched. An engine has `issuer` = `subject` = `acme/engines/e1`."""

    issuer: str
    subject: str
    brand: str
    roles: frozenset[Role]
    expires_at: datetime

    @property
    def engine_id(self) -> str | None:
        """The engine that signed for itself, or None for everybody else."""
        return engine_of(self.issuer, self.brand) if self.subject == self.issuer else None


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a token says of itself before anything is verified: enough to look up its key."""

    issuer: str
    kid: str


def engine_issuer(brand: str, engine_id: str) -> str:
    return f"{brand}/engines/{engine_id}"


def engine_of(issuer: str, brand: str) -> str | None:
    prefix = f"{brand}/engines/"
    return issuer.removeprefix(prefix) if issuer.startswith(prefix) else None


def sign_command(
    key: SigningKey,
    *,
    issuer: str,
    subject: str,
    brand: str,
    roles: Iterable[Role],
    topic: str,
    command_id: str,
    message_type: str,
    message_subject: str,
    value: bytes,
    now: datetime,
    epoch: int | None = None,
    number: int | None = None,
    lifetime: timedelta = COMMAND_LIFETIME,
) -> str:
    """Return the `ce_actor` of a command: a compact JWS over who asks and what exactly."""
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": subject,
        "brand": brand,
        "roles": sorted(roles),
        "aud": topic,
        "jti": command_id,
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
        "type": message_type,
        "subject": message_subject,
        "sha256": sha256(value).hexdigest(),
    }
    if epoch is not None:
        claims |= {"epoch": epoch, "seq": number}
    return _sign(key, COMMAND_TYPE, claims)


def sign_token(
    key: SigningKey,
    *,
    issuer: str,
    subject: str,
    brand: str,
    roles: Iterable[Role],
    audience: str,
    now: datetime,
    lifetime: timedelta = TOKEN_LIFETIME,
) -> str:
    """Return a bearer token for one service (`audience`: its dashed name)."""
    return _sign(
        key,
        TOKEN_TYPE,
        {
            "iss": issuer,
            "sub": subject,
            "brand": brand,
            "roles": sorted(roles),
            "aud": audience,
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
        },
    )


def read_claimed(token: str) -> Claimed:
    """Return whose key to look up, or raise `ActorError`: nothing of it is verified yet."""
    try:
        unverified = jws.extract_compact(_bounded(token))
        kid = unverified.headers().get("kid")
        issuer = json.loads(unverified.payload).get("iss")
    except (JoseError, ValueError, AttributeError, TypeError, RecursionError):
        raise ActorError("malformed") from None
    if not isinstance(kid, str) or not isinstance(issuer, str):
        raise ActorError("malformed", "iss" if isinstance(kid, str) else "kid")
    return Claimed(issuer, kid)


def verify_command(
    token: str,
    keys: Mapping[str, SigningKey],
    *,
    brand: str,
    topic: str,
    command_id: str,
    message_type: str,
    message_subject: str,
    value: bytes,
    appended_at: datetime,
    epoch: int | None,
    number: int | None,
) -> Actor:
    """Return who asks, or raise `ActorError`.

    `keys` are the issuer's, by thumbprint. `appended_at` is the broker's append time: a command
    that was valid when published stays so, however late it is read. `expired` is raised last, so it
    means that everything else about the token is right; `ActorError.claim` then is empty.
    """
    claims = _verified(token, keys, COMMAND_TYPE)
    expected: dict[str, object] = {
        "brand": brand,
        "aud": topic,
        "jti": command_id,
        "type": message_type,
        "subject": message_subject,
        "sha256": sha256(value).hexdigest(),
        "epoch": epoch,
        "seq": number,
    }
    for name, value_ in expected.items():
        if claims.get(name) != value_ or isinstance(claims.get(name), bool):
            raise ActorError("mismatch", name)
    return _actor(claims, appended_at, COMMAND_LIFETIME)


def verify_token(
    token: str, keys: Mapping[str, SigningKey], *, audience: str, now: datetime
) -> Actor:
    """Return who asks over HTTP, or raise `ActorError`."""
    claims = _verified(token, keys, TOKEN_TYPE)
    if claims.get("aud") != audience:
        raise ActorError("mismatch", "aud")
    return _actor(claims, now, TOKEN_LIFETIME)


def actor_of_expired(token: str, keys: Mapping[str, SigningKey]) -> Actor:
    """Return who signed a command of which `verify_command` said `expired`, and nothing else."""
    claims = _verified(token, keys, COMMAND_TYPE)
    return _actor(claims, datetime.fromtimestamp(_seconds(claims, "iat"), UTC), COMMAND_LIFETIME)


def _sign(key: SigningKey, type_: str, claims: Mapping[str, Any]) -> str:
    header = {"alg": algorithm_of(key), "typ": type_, "kid": key.thumbprint()}
    payload = json.dumps(claims, separators=(",", ":"), ensure_ascii=False).encode()
    return jws.serialize_compact(header, payload, key, algorithms=list(ALGORITHMS))


def _bounded(token: str) -> bytes:
    if len(token) > MAX_TOKEN_LENGTH:
        raise ActorError("malformed")
    return token.encode()


def _verified(token: str, keys: Mapping[str, SigningKey], type_: str) -> dict[str, Any]:
    kid = read_claimed(token).kid
    key = keys.get(kid)
    if key is None:
        raise ActorError("unknown_key")
    try:
        verified = jws.deserialize_compact(_bounded(token), key, algorithms=[algorithm_of(key)])
        claims = json.loads(verified.payload)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise ActorError("bad_signature") from None
    if verified.headers().get("typ") != type_:
        raise ActorError("mismatch", "typ")
    if not isinstance(claims, dict):
        raise ActorError("malformed")
    return {str(name): value for name, value in claims.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  JSON says no more than object


def _actor(claims: Mapping[str, Any], now: datetime, lifetime: timedelta) -> Actor:
    for name in ("iss", "sub", "brand"):
        if not _is_text(claims.get(name)):
            raise ActorError("malformed", name)
    roles = _roles(claims.get("roles"))
    issued, expires = _seconds(claims, "iat"), _seconds(claims, "exp")
    if expires - issued > lifetime.total_seconds():
        raise ActorError("malformed", "exp")
    if issued > (now + CLOCK_SKEW).timestamp():
        raise ActorError("not_yet_valid", "iat")
    if expires < now.timestamp():
        raise ActorError("expired")
    return Actor(
        issuer=claims["iss"],
        subject=claims["sub"],
        brand=claims["brand"],
        roles=roles,
        expires_at=datetime.fromtimestamp(expires, UTC),
    )


def _is_text(value: object) -> bool:
    """Tell whether a database takes it: JSON may also say NUL, or half of a surrogate pair."""
    if not isinstance(value, str) or not value or "\x00" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _roles(value: object) -> frozenset[Role]:
    try:
        return _ROLES.validate_python(value, strict=False)
    except ValidationError:
        raise ActorError("malformed", "roles") from None


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    # 2^40 seconds are some 35,000 years: what lies beyond would not be a time for `datetime`.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 37:
        raise ActorError("malformed", name)
    return value
