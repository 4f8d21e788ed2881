"""Key-encryption keys in files of one folder, each readable by its owner alone."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.security.keys import DATA_KEY_BYTES, DoesNotOpenError, UnknownKeyError, WrappedKey
from shared.security.private_files import (
    check_private_folder,
    create_private_file,
    read_private_file,
)

_NAME = "key-encryption-{}.key"
_NONCE_BYTES = 12


class InvalidKeyFileError(ValueError):
    """A file of the keys' folder is not one of this program's keys."""


class FileKeys:
    """A `KeyProvider` over a folder. Every key in it opens; the newest, by its name, wraps."""

    def __init__(self, folder: Path) -> None:
        """Read the keys, and make the first one where there is none."""
        check_private_folder(folder)
        self._folder = folder
        self._keys = self._read()
        if not self._keys:
            create_private_file(folder / _NAME.format(_new_id()), secrets.token_bytes(32))
            self._keys = self._read()

    def __repr__(self) -> str:
        return f"FileKeys({str(self._folder)!r})"

    async def wrap(self, data_key: bytes, additional_data: bytes) -> WrappedKey:
        key_id = max(self._keys)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._keys[key_id].encrypt(nonce, data_key, additional_data)
        return WrappedKey(key_id, nonce + sealed)

    async def unwrap(self, wrapped: WrappedKey, additional_data: bytes) -> bytes:
        if not await self.knows(wrapped.key_id):
            raise UnknownKeyError(wrapped.key_id)
        nonce, sealed = wrapped.wrapped[:_NONCE_BYTES], wrapped.wrapped[_NONCE_BYTES:]
        try:
            return self._keys[wrapped.key_id].decrypt(nonce, sealed, additional_data)
        except (InvalidTag, ValueError):
            raise DoesNotOpenError("The data key does not open in this place.") from None

    async def knows(self, key_id: str) -> bool:
        """Look into the folder again for a key that another process has made since."""
        if key_id not in self._keys:
            self._keys = self._read()
        return key_id in self._keys

    def _read(self) -> dict[str, AESGCM]:
        before, after = _NAME.split("{}")
        keys: dict[str, AESGCM] = {}
        for path in self._folder.glob(_NAME.format("*")):
            content = read_private_file(path)
            if len(content) != DATA_KEY_BYTES:
                raise InvalidKeyFileError(f"{path} is no key: it has {len(content)} bytes, not 32.")
            keys[path.name.removeprefix(before).removesuffix(after)] = AESGCM(content)
        return keys


def load_or_create_key(folder: Path, name: str) -> bytes:
    """Return 32 bytes from `<name>.key`, made at the first call; every process gets the same."""
    check_private_folder(folder)
    path = folder / f"{name}.key"
    if not path.exists():
        create_private_file(path, secrets.token_bytes(DATA_KEY_BYTES))
    content = read_private_file(path)
    if len(content) != DATA_KEY_BYTES:
        raise InvalidKeyFileError(f"{path} is no key: it has {len(content)} bytes, not 32.")
    return content


def _new_id() -> str:
    """Return a name that sorts after all earlier ones."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"
