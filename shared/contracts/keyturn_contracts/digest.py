"""The digest of what an engine holds: equal on both sides, or somebody has forgotten something."""

from collections.abc import Iterable
from hashlib import sha256

MODULUS = 1 << 256
EMPTY = "0" * 64
"""The digest of nothing."""


def binding_digest(account_id: str, workflow_id: str, task_id: str) -> int:
    """Return SHA-256 over the three ids, each as UTF-8 after its length (4 bytes, big-endian).

    The lengths keep ("ab", "c") apart from ("a", "bc").
    """
    hashed = sha256()
    for text in (account_id, workflow_id, task_id):
        encoded = text.encode()
        hashed.update(len(encoded).to_bytes(4, "big") + encoded)
    return int.from_bytes(hashed.digest(), "big")


def sum_of(digests: Iterable[int]) -> int:
    """Return the sum modulo 2^256: in any order, and one binding is added or taken away alone."""
    return sum(digests) % MODULUS


def add(digest: int, *, added: Iterable[int] = (), removed: Iterable[int] = ()) -> int:
    return (digest + sum(added) - sum(removed)) % MODULUS


def to_hex(digest: int) -> str:
    return f"{digest % MODULUS:064x}"


def from_hex(text: str) -> int:
    """Read 64 lower-case hexadecimal digits; a ValueError for anything else."""
    if len(text) != 64 or text.strip("0123456789abcdef"):  # noqa: PLR2004  256 bits
        raise ValueError("A digest is 64 lower-case hexadecimal digits.")
    return int(text, 16)
