"""Keys that sign and seal, as JWK (RFC 7517), and the sets they are published in."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, import_key
from pydantic import ConfigDict, field_validator

from keyturn_contracts.message import Part

SigningKey = OKPKey | ECKey
"""Ed25519, or P-256 for ES256."""
SealingKey = OKPKey | ECKey
"""X25519 (a transport key), or P-256 (an engine's)."""


class InvalidKeyError(ValueError):
    """A JWK that is not of the kind asked for. Its text never carries the key."""


class PublicJwk(Part):
    """A public key. A private part in it is refused, before anything stores it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kty: Literal["OKP", "EC"]
    crv: Literal["Ed25519", "X25519", "P-256"]
    x: str
    y: str | None = None
    use: Literal["sig", "enc"]
    kid: str | None = None
    alg: str | None = None

    @field_validator("x", "y")
    @classmethod
    def _is_short(cls, text: str | None) -> str | None:
        if text is not None and len(text) > 64:  # noqa: PLR2004  32 bytes in base64 are 43
            raise ValueError("A coordinate has at most 64 characters.")
        return text

    def to_key(self) -> OKPKey | ECKey:
        """Return the key, or raise `InvalidKeyError`."""
        jwk: dict[str, str | list[str]] = {"kty": self.kty, "crv": self.crv, "x": self.x}
        if self.y is not None:
            jwk["y"] = self.y
        try:
            key = import_key(jwk)
        except (JoseError, ValueError, KeyError, TypeError):
            raise InvalidKeyError("The key is not a valid JWK of its kind.") from None
        if not isinstance(key, OKPKey | ECKey):
            raise InvalidKeyError("The key is not a valid JWK of its kind.")
        return key

    def thumbprint(self) -> str:
        """Return the RFC 7638 thumbprint, or raise `InvalidKeyError`."""
        return self.to_key().thumbprint()


class Jwks(Part):
    """A JWK set (RFC 7517, section 5)."""

    keys: tuple[PublicJwk, ...]

    def by_id(self) -> dict[str, OKPKey | ECKey]:
        """Return the keys by their thumbprint; one that is no valid key is left out."""
        found: dict[str, OKPKey | ECKey] = {}
        for one in self.keys:
            try:
                key = one.to_key()
            except InvalidKeyError:
                continue
            found[key.thumbprint()] = key
        return found


def new_signing_key() -> OKPKey:
    return OKPKey.generate_key("Ed25519", private=True)


def new_transport_key() -> OKPKey:
    return OKPKey.generate_key("X25519", private=True)


def new_engine_sealing_key() -> ECKey:
    return ECKey.generate_key("P-256", private=True)


def public_jwk(key: OKPKey | ECKey, use: Literal["sig", "enc"]) -> PublicJwk:
    """Return what may be published of a key."""
    shown: Mapping[str, Any] = key.as_dict(private=False)
    return PublicJwk.model_validate(
        {name: shown[name] for name in ("kty", "crv", "x", "y") if name in shown}
        | {"use": use, "kid": key.thumbprint()}
    )


def private_jwk(key: OKPKey | ECKey) -> dict[str, str]:
    """Return all of a key, to be stored where only its owner reads."""
    return {str(name): str(value) for name, value in key.as_dict(private=True).items()}


def import_private_key(jwk: Mapping[str, str]) -> OKPKey | ECKey:
    """Read what `private_jwk` returned, or raise `InvalidKeyError`."""
    try:
        key = import_key(dict(jwk))
    except (JoseError, ValueError, KeyError, TypeError):
        raise InvalidKeyError("The stored key is not a valid private JWK.") from None
    if not isinstance(key, OKPKey | ECKey) or not key.is_private:
        raise InvalidKeyError("The stored key is not a valid private JWK.")
    return key


def jwks_of(keys: Iterable[OKPKey | ECKey], use: Literal["sig", "enc"]) -> Jwks:
    return Jwks(keys=tuple(public_jwk(one, use) for one in keys))


def algorithm_of(key: OKPKey | ECKey) -> str:
    """Return the name a signature by this key carries: `Ed25519` (RFC 9864) or `ES256`."""
    return "Ed25519" if isinstance(key, OKPKey) else "ES256"
