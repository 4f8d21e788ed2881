"""What wraps data keys: a key-encryption key that lives in a file, later in a KMS or an HSM."""

from dataclasses import dataclass
from typing import Protocol

DATA_KEY_BYTES = 32
"""AES-256."""


class UnknownKeyError(LookupError):
    """A data key was wrapped by a key-encryption key that this provider does not have."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"The key-encryption key {key_id} is missing: restore it into the keys' folder, "
            "or what was encrypted under it stays closed."
        )
        self.key_id = key_id


class DoesNotOpenError(ValueError):
    """What was encrypted does not open: altered, moved from its place, or under another key."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as it is stored, and which key-encryption key opens it."""

    key_id: str
    wrapped: bytes


class KeyProvider(Protocol):
    """Wraps and unwraps data keys; the key-encryption key itself never leaves it."""

    async def wrap(self, data_key: bytes, additional_data: bytes) -> WrappedKey:
        """Wrap with the newest key; `additional_data` must be the same to unwrap."""
        ...

    async def unwrap(self, wrapped: WrappedKey, additional_data: bytes) -> bytes:
        """Return the data key, or raise `UnknownKeyError` or `DoesNotOpenError`."""
        ...

    async def knows(self, key_id: str) -> bool:
        """Tell whether it has this key: asked at the start, before anybody relies on it."""
        ...
