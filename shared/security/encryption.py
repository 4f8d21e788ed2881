"""Envelope encryption: each content under a data key of its own, in one place alone."""

import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.security.keys import DATA_KEY_BYTES, DoesNotOpenError, KeyProvider, WrappedKey

_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Encrypted:
    """Content as it is stored: its wrapped data key, and the content after its nonce."""

    key: WrappedKey
    content: bytes


def place(purpose: str, *parts: str) -> bytes:
    """Return the additional data that ties a content to where it belongs.

    Each part stands after its length (4 bytes, big-endian), so ("ab", "c") and ("a", "bc") differ.
    A row that was moved to another place, or back to an earlier version, does not open.
    """
    encoded = [part.encode() for part in (purpose, *parts)]
    return b"".join(len(one).to_bytes(4, "big") + one for one in encoded)


async def encrypt(keys: KeyProvider, content: bytes, at: bytes) -> Encrypted:
    """Encrypt under a fresh data key (AES-256-GCM) for the `place` it belongs to."""
    data_key = secrets.token_bytes(DATA_KEY_BYTES)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(data_key).encrypt(nonce, content, at)
    return Encrypted(await keys.wrap(data_key, at), nonce + sealed)


async def decrypt(keys: KeyProvider, encrypted: Encrypted, at: bytes) -> bytes:
    """Return the content, or raise `UnknownKeyError` or `DoesNotOpenError`."""
    data_key = await keys.unwrap(encrypted.key, at)
    nonce, sealed = encrypted.content[:_NONCE_BYTES], encrypted.content[_NONCE_BYTES:]
    try:
        return AESGCM(data_key).decrypt(nonce, sealed, at)
    except (InvalidTag, ValueError):
        raise DoesNotOpenError("The content does not open in this place.") from None
