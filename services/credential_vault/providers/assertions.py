"""Assertions that the vault signs for one try: a JWT by RFC 7523, to be traded or sent as it is."""

import asyncio
import base64
import secrets
import time
from dataclasses import replace
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from keyturn_contracts.probes import JwtAssertion

from services.credential_vault.providers.private_keys import KeyText, PrivateKey, key_text
from services.credential_vault.providers.values import Values


async def sign_jwt(assertion: JwtAssertion, values: Values) -> str:
    """Return the signed assertion, or raise `FoundError` where its key cannot sign it."""
    text = key_text(values, assertion.private_key, assertion.passphrase)
    # Opening a key takes a moment of work, in which others are to go on.
    return await asyncio.to_thread(_sign, assertion, values, text)


def _sign(assertion: JwtAssertion, values: Values, text: KeyText) -> str:
    key = _open(text, assertion.algorithm)
    values = replace(values, settings={**values.settings, "public_key_sha256": _fingerprint(key)})
    header = {"alg": assertion.algorithm}
    if (key_id := values.fill_optional(assertion.key_id)) is not None:
        header["kid"] = key_id
    return jwt.encode(
        header,
        _claims(assertion, values),
        RSAKey.import_key(key) if isinstance(key, RSAPrivateKey) else ECKey.import_key(key),
        algorithms=[assertion.algorithm],
    )


def _open(text: KeyText, algorithm: str) -> RSAPrivateKey | EllipticCurvePrivateKey:
    if algorithm == "RS256":
        return text.open_rsa()
    key = text.open()
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key
    raise text.unfit("of the curve P-256")


def _claims(assertion: JwtAssertion, values: Values) -> dict[str, Any]:
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": values.fill(assertion.issuer),
        "iat": now,
        "exp": now + assertion.lifetime_seconds,
        # A server may take each assertion once.
        "jti": secrets.token_hex(16),
    }
    more = {"sub": assertion.subject, "aud": assertion.audience, **assertion.claims}
    filled = ((name, values.fill_optional(template)) for name, template in more.items())
    return claims | {name: value for name, value in filled if value is not None}


def _fingerprint(key: PrivateKey) -> str:
    """Return the SHA-256 of the public key's DER, in base64."""
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(sha256(public).digest()).decode()
