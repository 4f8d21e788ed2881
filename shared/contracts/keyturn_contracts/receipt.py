"""A receipt: what only an engine that opened a version can know."""

import hmac
from hashlib import sha256


def receipt_for(key: bytes, *, brand: str, account_id: str, version: int, engine_id: str) -> str:
    """Return HMAC-SHA-256 under a key of the vault, as 64 hexadecimal digits.

    It is over brand, account, version and engine, each preceded by its length (4 bytes,
    big-endian), and travels sealed beside the credential.
    """
    mac = hmac.new(key, digestmod=sha256)
    for text in (brand, account_id, str(version), engine_id):
        encoded = text.encode()
        mac.update(len(encoded).to_bytes(4, "big") + encoded)
    return mac.hexdigest()


def digest_of_receipt(receipt: str) -> str:
    """Return what the vault announces of a receipt: its SHA-256, which does not give it away."""
    return sha256(receipt.encode()).hexdigest()


def is_receipt(receipt: str, announced: str) -> bool:
    return hmac.compare_digest(digest_of_receipt(receipt), announced)
