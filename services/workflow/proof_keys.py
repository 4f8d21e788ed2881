"""The keys that proofs are signed with: the newest signs, the older ones stay published."""

import json
from pathlib import Path

from keyturn_contracts.keys import (
    Jwks,
    SigningKey,
    import_private_key,
    jwks_of,
    new_signing_key,
    private_jwk,
)

from shared.security.private_files import (
    check_private_folder,
    create_private_file,
    read_private_file,
)

_FIRST = "proof-0001.json"


class ProofKeys:
    """Private JWKs in files `proof-<number>.json`, mode 0600; the highest number is the newest.

    A new key is a new file, put there by an operator; no file is ever taken away, because old
    proofs are checked with old keys.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys: list[SigningKey] = []

    def load(self) -> None:
        """Read the keys; the first process that finds none makes the first one."""
        check_private_folder(self._folder)
        first = self._folder / _FIRST
        if not first.exists():
            # Where another process was quicker, its key is read below like any other.
            create_private_file(first, json.dumps(private_jwk(new_signing_key())).encode())
        files = sorted(self._folder.glob("proof-*.json"))
        self._keys = [import_private_key(json.loads(read_private_file(one))) for one in files]

    @property
    def newest(self) -> SigningKey:
        return self._keys[-1]

    def public(self) -> Jwks:
        """Return every key that a proof may be signed with, the newest first."""
        return jwks_of(reversed(self._keys), "sig")
