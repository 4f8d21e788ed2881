"""Private keys and passwords, in files that only their owner reads."""

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from keyturn_contracts.keys import (
    SealingKey,
    SigningKey,
    import_private_key,
    new_engine_sealing_key,
    new_signing_key,
    private_jwk,
    public_jwk,
)
from keyturn_contracts.registration import prove_possession
from keyturn_contracts.workflow import EngineKind, Reach, RegisterEngine
from pydantic import TypeAdapter

from keyturn_client.problems import ExposedKeyError

_JWK = TypeAdapter(dict[str, str])
_TWO_JWKS = TypeAdapter(dict[str, dict[str, str]])


def read_private(path: Path) -> str:
    """Return what a private file holds; refuse one that anybody but its owner may read."""
    with path.open(encoding="utf-8") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise ExposedKeyError(
                f"{path} holds a secret and has mode {mode:04o}: run chmod 0600 {path}."
            )
        return file.read()


def write_private(path: Path, text: str) -> None:
    """Write a new file of mode 0600; a FileExistsError where there is one already."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_signing_key(path: Path) -> SigningKey:
    """Read an issuer's private key, as a JWK."""
    return import_private_key(_JWK.validate_json(read_private(path)))


@dataclass(frozen=True, slots=True)
class EngineKeys:
    """An engine's two private keys: one signs what it says, one opens what it fetches."""

    sig: SigningKey = field(repr=False)
    enc: SealingKey = field(repr=False)

    @classmethod
    def new(cls) -> Self:
        return cls(new_signing_key(), new_engine_sealing_key())

    @classmethod
    def load(cls, path: Path) -> Self:
        stored = _TWO_JWKS.validate_json(read_private(path))
        return cls(import_private_key(stored["sig"]), import_private_key(stored["enc"]))

    def save(self, path: Path) -> None:
        """Write both to a new file that only its owner reads."""
        both = {"sig": private_jwk(self.sig), "enc": private_jwk(self.enc)}
        write_private(path, json.dumps(both))

    def registration(
        self,
        *,
        brand: str,
        engine_id: str,
        name: str,
        reach: Reach,
        engine_kind: EngineKind = "confirming",
        lease_seconds: int | None = None,
    ) -> RegisterEngine:
        """Return the command by which an administrator lets the engine in."""
        enc = public_jwk(self.enc, "enc")
        return RegisterEngine(
            engine_id=engine_id,
            name=name,
            engine_kind=engine_kind,
            lease_seconds=lease_seconds,
            reach=reach,
            sig=public_jwk(self.sig, "sig"),
            enc=enc,
            proof=prove_possession(self.sig, brand=brand, engine_id=engine_id, enc=enc),
        )
