"""Private keys as people paste them: opened, and refused without a word of what is in them."""

import base64
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from asyncssh.asn1 import ASN1DecodeError, ObjectIdentifier, der_decode
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_ssh_private_key,
)

from services.credential_vault.providers.finding import FoundError
from services.credential_vault.providers.values import Values, first_slot

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey

_LONGEST = 5000
"""Characters of a key. One of RSA with 6,000 bits has fewer; checking a longer one takes seconds,
in which nothing else happens in this process."""
_SMALLEST_RSA = 2048
"""Bits (NIST SP 800-131A)."""
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----(.*?)-----END \1-----", re.DOTALL)
_OPENSSH = "OPENSSH PRIVATE KEY"
_ENCODED = b"MII"
"""How base64 of an RSA key begins; the key itself begins with another byte."""
_SCRYPT = ObjectIdentifier("1.3.6.1.4.1.11591.4.11")
_MOST_ITERATIONS = 1_000_000
_MOST_OF_SCRYPT = 2**18
_MOST_ROUNDS = 128
"""How much work a passphrase may take, of PBKDF2, scrypt and OpenSSH's own: some tenths of a
second. The text says how much it is, and could ask for an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyText:
    """A private key that has not been opened yet, and what the fields of both are called."""

    name: str
    text: str = field(repr=False)
    passphrase_name: str | None
    passphrase: str | None = field(repr=False)

    def open(self) -> PrivateKey:
        """Return the key, or raise `FoundError`. It takes up to a second: not for a loop."""
        block = _BLOCK.search(self.text)
        if block is None or len(self.text) > _LONGEST:
            raise self._malformed()
        block = _once_encoded(block)
        try:
            is_costly = _is_costly(block)
        except (ASN1DecodeError, RecursionError, TypeError, ValueError, struct.error):
            raise self._malformed() from None
        if is_costly:
            raise self._refused("its passphrase takes far more work than is usual")
        return self._load(block)

    def open_rsa(self) -> RSAPrivateKey:
        """Return the key where it is of RSA and long enough to sign with, else as `open`."""
        key = self.open()
        if isinstance(key, RSAPrivateKey) and key.key_size >= _SMALLEST_RSA:
            return key
        raise self.unfit("of RSA with 2048 bits or more")

    def unfit(self, wanted: str) -> FoundError:
        return FoundError("fields_invalid", f"The key in {self.name} has to be {wanted}.")

    def _load(self, block: re.Match[str]) -> PrivateKey:
        passphrase = self.passphrase.encode() if self.passphrase else None
        load = load_ssh_private_key if block[1] == _OPENSSH else load_pem_private_key
        try:
            key = load(block[0].encode(), passphrase)
        except TypeError:
            raise self._encrypted_or_not() from None
        except ValueError as error:
            # In these words the library says that a passphrase does not open the key.
            if passphrase and re.search("password|broken checksum", str(error)):
                raise self._wrong_passphrase() from None
            raise self._malformed() from None
        except UnsupportedAlgorithm:
            raise self._refused("its kind, or how it is encrypted, is not known") from None
        if not isinstance(key, PrivateKey):
            raise self._refused("it is none of RSA, an elliptic curve or Ed25519")
        return key

    def _malformed(self) -> FoundError:
        return FoundError(
            "fields_invalid",
            f"The value of {self.name} is no private key: paste all of it, from the line with "
            "BEGIN to the line with END, with its line breaks.",
        )

    def _refused(self, why: str) -> FoundError:
        return FoundError(
            "fields_invalid",
            f"The key in {self.name} cannot be used, because {why}. The command `ssh-keygen -p -m "
            "PKCS8 -f FILE`, with an empty new passphrase, brings a copy of it into a usual form.",
        )

    def _encrypted_or_not(self) -> FoundError:
        if self.passphrase:
            said = f"The key in {self.name} is not encrypted: leave its passphrase out."
        elif self.passphrase_name is None:
            return self._refused("it is encrypted and there is no field for its passphrase")
        else:
            said = f"The key in {self.name} is encrypted: give its passphrase too."
        return FoundError("fields_invalid", said)

    def _wrong_passphrase(self) -> FoundError:
        named = self.passphrase_name or "the passphrase"
        return FoundError(
            "fields_invalid", f"The value of {named} does not open the key in {self.name}."
        )


def key_text(values: Values, private_key: str, passphrase: str | None) -> KeyText:
    """Return the key that these templates stand for."""
    return KeyText(
        name=first_slot(private_key) or "the private key",
        text=values.fill(private_key),
        passphrase_name=first_slot(passphrase or ""),
        passphrase=values.fill_optional(passphrase),
    )


def _once_encoded(block: re.Match[str]) -> re.Match[str]:
    """Return a key that was encoded twice as it was before; any other as it is.

    SuccessFactors gives out such: what stands between the lines is base64 of base64, which no
    usual tool reads (SAP note 3517125; Nango's `samlAssertion.ts` undoes it likewise).
    """
    try:
        content = _content(block)
    except ValueError:
        return block
    if not content.startswith(_ENCODED):
        return block
    inner = content.decode("ascii", "replace")
    return (
        _BLOCK.search(f"-----BEGIN PRIVATE KEY-----\n{inner}\n-----END PRIVATE KEY-----") or block
    )


def _is_costly(block: re.Match[str]) -> bool:
    """Tell whether the work that a passphrase takes is beyond use, or raise what a parser does."""
    if block[1] == _OPENSSH:
        return _rounds(_content(block)) > _MOST_ROUNDS
    if not block[1].startswith("ENCRYPTED"):
        return False
    algorithm, _ = cast("tuple[object, object]", der_decode(_content(block)))
    parts = list(_parts(algorithm))
    numbers = [abs(one) for one in parts if isinstance(one, int)]
    if _SCRYPT in parts:
        return math.prod(numbers[:3]) > _MOST_OF_SCRYPT
    return max(numbers, default=0) > _MOST_ITERATIONS


def _content(block: re.Match[str]) -> bytes:
    return base64.b64decode("".join(block[2].split()), validate=True)


def _parts(value: object) -> Iterator[object]:
    if isinstance(value, tuple):
        for one in cast("tuple[object, ...]", value):
            yield from _parts(one)
    else:
        yield value


def _rounds(content: bytes) -> int:
    """Return the rounds of bcrypt in OpenSSH's own form (PROTOCOL.key); 0 without encryption."""
    at = len(b"openssh-key-v1\0")
    for _ in range(2):
        at += 4 + _length(content, at)
    options = content[at + 4 : at + 4 + _length(content, at)]
    if not options:
        return 0
    return struct.unpack_from(">I", options, 4 + _length(options, 0))[0]


def _length(content: bytes, at: int) -> int:
    return struct.unpack_from(">I", content, at)[0]
