"""Who may publish commands and ask over HTTP, and the most that each may vouch for."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from keyturn_contracts.actor import Actor, ActorError, Role
from keyturn_contracts.ids import Slug
from keyturn_contracts.keys import Jwks, SigningKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

_log = structlog.stdlib.get_logger()

EVERY_BRAND = "*"
_ENGINE = re.compile(r"([A-Za-z0-9_\-:@]{1,128})/engines/([A-Za-z0-9_\-:@]{1,128})")


class _File(BaseModel):
    """An issuer as an operator writes it down."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Slug
    jwks: Jwks
    brands: tuple[str, ...] = Field(min_length=1)
    roles: frozenset[Role]
    replies: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """A publishing system. An engine is no issuer of this kind: it vouches for itself alone."""

    name: str
    keys: Mapping[str, SigningKey]
    brands: frozenset[str]
    roles: frozenset[Role]
    replies: bool

    def may_speak_for(self, brand: str) -> bool:
        return brand in self.brands or EVERY_BRAND in self.brands


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file as it was read last: the same stamp means the same content."""

    stamp: tuple[int, int, int]
    issuer: Issuer | None


class Issuers:
    """The issuers that a folder describes, one JSON file each; looked at again for every batch.

    A file that cannot be read keeps what it said last, and says so once: a slip of an editor must
    not shut out everybody who sends commands. A file that is gone takes its issuer with it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, _Seen] = {}
        self._by_name: dict[str, Issuer] = {}
        self.refresh()

    def find(self, name: str) -> Issuer | None:
        return self._by_name.get(name)

    def check_vouched(self, actor: Actor) -> None:
        """Raise `ActorError` where the issuer may not vouch for this brand or these roles."""
        issuer = self._by_name.get(actor.issuer)
        if issuer is None:
            # An engine vouches for itself, in its own brand, and has no role.
            if actor.engine_id is None or actor.roles:
                raise ActorError("not_vouched")
        elif not issuer.may_speak_for(actor.brand):
            raise ActorError("not_vouched", "brand")
        elif actor.roles - issuer.roles:
            raise ActorError("not_vouched", "roles")

    def refresh(self) -> None:
        """Read again what has changed since the last time."""
        try:
            present = sorted(self._folder.glob("*.json"))
        except OSError as error:
            _log.error("the folder of issuers cannot be read", error=error.strerror)
            return
        seen: dict[Path, _Seen] = {}
        for path in present:
            before = self._seen.get(path)
            try:
                stamp = _stamp(path)
            except FileNotFoundError:
                continue
            if before is not None and before.stamp == stamp:
                seen[path] = before
            else:
                seen[path] = _Seen(stamp, _read(path) or (before.issuer if before else None))
        if seen == self._seen:
            return
        self._seen = seen
        self._by_name = {one.issuer.name: one.issuer for one in seen.values() if one.issuer}


def _stamp(path: Path) -> tuple[int, int, int]:
    found = os.stat(path)  # noqa: PTH116  once for each file and batch, and twice as fast
    return found.st_mtime_ns, found.st_ino, found.st_size


def _read(path: Path) -> Issuer | None:
    try:
        file = _File.model_validate_json(path.read_bytes())
    except OSError as error:
        _log.error(
            "an issuer's file cannot be read: what it said before stays",
            file=path.name,
            error=error.strerror,
        )
        return None
    except ValidationError as error:
        where = sorted({".".join(str(part) for part in one["loc"]) for one in error.errors()})
        _log.error(
            "an issuer's file is wrong: what it said before stays", file=path.name, fields=where
        )
        return None
    return Issuer(
        name=file.name,
        keys=file.jwks.by_id(),
        brands=frozenset(file.brands),
        roles=file.roles,
        replies=file.replies,
    )


def claimed_engine(issuer: str) -> tuple[str, str] | None:
    """Return brand and id of the engine that an issuer's name is, or None for any other name."""
    found = _ENGINE.fullmatch(issuer)
    return (found[1], found[2]) if found else None
