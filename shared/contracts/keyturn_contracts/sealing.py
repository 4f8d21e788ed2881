"""Sealed credentials: to the vault on their way in, to one engine on their way out."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry
from pydantic import ConfigDict, SecretStr, TypeAdapter, ValidationError

from keyturn_contracts.envelope import to_rfc3339
from keyturn_contracts.keys import SealingKey
from keyturn_contracts.secret import Secret

ALGORITHM = "ECDH-ES+A256KW"
ENCRYPTION = "A256GCM"
MAX_SEALED_LENGTH = 256 * 1024
"""Of a compact JWE, in characters."""

_REGISTRY = JWERegistry(algorithms=[ALGORITHM, ENCRYPTION], strict_check_header=False)
_FIELDS = TypeAdapter(dict[str, str], config=ConfigDict(hide_input_in_errors=True))

SealedProblem = Literal["malformed", "unknown_key", "wrong_context", "does_not_open"]


class SealedError(ValueError):
    """A sealed credential that is of no use here. Nothing of its content is in the text."""

    def __init__(self, problem: SealedProblem, header: str = "") -> None:
        super().__init__(f"{problem}: {header}" if header else problem)
        self.problem: SealedProblem = problem
        self.header = header


class Fetched:
    """What an engine opened: a version's fields and settings, and the receipt that proves it."""

    __slots__ = ("account_id", "fields", "receipt", "settings", "version")

    def __init__(
        self,
        *,
        account_id: str,
        version: int,
        fields: Mapping[str, Secret],
        settings: Mapping[str, str],
        receipt: str,
    ) -> None:
        self.account_id = account_id
        self.version = version
        self.fields = fields
        self.settings = settings
        self.receipt = receipt

    def __repr__(self) -> str:
        return f"Fetched(account_id={self.account_id!r}, version={self.version})"


def seal_for_vault(
    fields: Mapping[str, str], key: SealingKey, *, brand: str, account_id: str, command_id: str
) -> str:
    """Seal a scheme's credential fields so that they are worth nothing in any other command."""
    context = {"brand": brand, "account": account_id, "command": command_id}
    return _seal(json.dumps(dict(fields), ensure_ascii=False).encode(), key, context)


def open_for_vault(
    sealed: str,
    keys: Mapping[str, SealingKey],
    *,
    brand: str,
    account_id: str,
    command_id: str,
) -> dict[str, Secret]:
    """Return the fields, or raise `SealedError`; `keys` are the transport keys by thumbprint."""
    context = {"brand": brand, "account": account_id, "command": command_id}
    try:
        fields = _FIELDS.validate_json(_open(sealed, keys, context))
    except ValidationError:
        raise SealedError("malformed") from None
    return {name: Secret(value) for name, value in fields.items()}


def seal_for_engine(
    fields: Mapping[str, SecretStr],
    settings: Mapping[str, str],
    receipt: str,
    key: SealingKey,
    *,
    brand: str,
    account_id: str,
    version: int,
    engine_id: str,
    now: datetime,
) -> str:
    """Seal one version to one engine's `enc` key."""
    content = {
        "fields": {name: value.get_secret_value() for name, value in fields.items()},
        "settings": dict(settings),
        "receipt": receipt,
    }
    context: dict[str, str | int] = {
        "brand": brand,
        "account": account_id,
        "version": version,
        "engine": engine_id,
        "time": to_rfc3339(now),
    }
    return _seal(json.dumps(content, ensure_ascii=False).encode(), key, context)


def open_for_engine(
    sealed: str, key: SealingKey, *, brand: str, account_id: str, version: int, engine_id: str
) -> Fetched:
    """Return what was fetched, or raise `SealedError` where it was not sealed for just this."""
    context: dict[str, str | int] = {
        "brand": brand,
        "account": account_id,
        "version": version,
        "engine": engine_id,
    }
    opened = _open(sealed, {key.thumbprint(): key}, context)
    try:
        content = json.loads(opened)
        return Fetched(
            account_id=account_id,
            version=version,
            fields={str(k): Secret(str(v)) for k, v in content["fields"].items()},
            settings={str(k): str(v) for k, v in content["settings"].items()},
            receipt=str(content["receipt"]),
        )
    except (ValueError, KeyError, AttributeError, TypeError):
        raise SealedError("malformed") from None


def key_id_of(sealed: str) -> str:
    """Return which key something was sealed to, or raise `SealedError`."""
    kid = _header(sealed).get("kid")
    if not isinstance(kid, str):
        raise SealedError("malformed", "kid")
    return kid


def _seal(content: bytes, key: SealingKey, context: Mapping[str, str | int]) -> str:
    header = {"alg": ALGORITHM, "enc": ENCRYPTION, "kid": key.thumbprint(), **context}
    return jwe.encrypt_compact(header, content, key, registry=_REGISTRY)


def _header(sealed: str) -> dict[str, object]:
    if len(sealed) > MAX_SEALED_LENGTH:
        raise SealedError("malformed")
    try:
        protected = sealed.split(".", 1)[0]
        padded = protected + "=" * (-len(protected) % 4)
        header = json.loads(base64.urlsafe_b64decode(padded))
    except (ValueError, RecursionError):
        raise SealedError("malformed") from None
    if not isinstance(header, dict):
        raise SealedError("malformed")
    return {str(name): value for name, value in header.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  JSON says no more than object


def _open(sealed: str, keys: Mapping[str, SealingKey], context: Mapping[str, str | int]) -> bytes:
    header = _header(sealed)
    kid = header.get("kid")
    key = keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise SealedError("unknown_key")
    if header.get("alg") != ALGORITHM or header.get("enc") != ENCRYPTION or "zip" in header:
        raise SealedError("malformed", "alg")
    for name, expected in context.items():
        if header.get(name) != expected:
            raise SealedError("wrong_context", name)
    try:
        # The header is authenticated with the content: one that was altered does not open.
        opened = jwe.decrypt_compact(sealed.encode(), key, registry=_REGISTRY)
    except (JoseError, ValueError, TypeError, LookupError):
        # A LookupError is of a curve that X25519 does not know, in a header that anybody may write.
        raise SealedError("does_not_open") from None
    return opened.plaintext or b""
