"""What one brand has installed, as it was announced last: little of each, asked often. Pure."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from keyturn_contracts.catalog import Party
from keyturn_contracts.ids import Slug
from keyturn_contracts.installation import InstallationChanged, InstallationState
from keyturn_contracts.message import Part
from keyturn_contracts.registry import EVENT_BY_TYPE
from keyturn_contracts.rights import InstallationFact
from pydantic import ValidationError

from keyturn_client.replica.announced import BEFORE_ALL, Head, Position, read_head
from keyturn_client.wire import Read

log = logging.getLogger("keyturn_client")

_TYPES = frozenset(
    name for name, kind in EVENT_BY_TYPE.items() if issubclass(kind, InstallationChanged)
)


class _Announced(Part):
    """What is needed of an `InstallationChanged`. What may grow elsewhere in it stops nobody."""

    extension: Slug
    party: str
    state: InstallationState
    domains: tuple[str, ...] = ()
    domains_revision: int
    permissions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Installation(InstallationFact):
    """What `keyturn_contracts.reaching` and `keyturn_contracts.rights` ask of an installation."""

    domains: tuple[str, ...]
    domains_revision: int
    permissions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """The newest that was announced of one extension."""

    position: Position
    installation: Installation | None
    """None: it cannot be read here, so nobody knows whether it takes something away."""


class Installations:
    """The installations of one brand, the newest of each by `(epoch, sequence)`.

    An announcement about one of them that cannot be read (it breaks its contract, is of a type
    that this version does not know, or has no value) leaves it unknown, until something newer
    comes. Where not even its epoch and sequence can be read, it counts as newer than all before:
    the service publishes what is about one key in its order.
    """

    def __init__(self, brand: str) -> None:
        self._brand = brand
        self._prefix = f"{brand}/{InstallationChanged.kind}/".encode()
        self._held: dict[str, Held] = {}
        self.facts: dict[str, InstallationFact] = {}
        """By extension what is known: one mapping, as long as this is there."""
        self.unreadable: set[str] = set()
        """Extensions of which nobody here knows what was announced last."""

    def get(self, extension: str) -> Held | None:
        return self._held.get(extension)

    def hear(self, records: Iterable[Read]) -> None:
        """Take what concerns this brand's installations; of all other records the key is read."""
        for one in records:
            if one.key is not None and one.key.startswith(self._prefix):
                self._take(one, one.key.removeprefix(self._prefix).decode(errors="replace"))

    def forget(self) -> None:
        self._held = {}
        self.facts.clear()
        self.unreadable.clear()

    def _take(self, record: Read, extension: str) -> None:
        held = self._held.get(extension)
        newest = held.position if held is not None else BEFORE_ALL
        head = read_head(record)
        if head is None:
            position, installation = newest, None
        elif head.position <= newest:
            return
        else:
            position, installation = head.position, self._read(record, head, extension)
        if installation is None:
            log.warning(
                "What %s announces of the extension %s cannot be read here: it may do nothing "
                "until something newer comes. Is this keyturn-client older than the services?",
                record.name,
                extension,
            )
            self.unreadable.add(extension)
            self.facts.pop(extension, None)
        else:
            self.facts[extension] = installation
            self.unreadable.discard(extension)
        self._held[extension] = Held(position, installation)

    def _read(self, record: Read, head: Head, extension: str) -> Installation | None:
        if head.type not in _TYPES or head.brand != self._brand:
            return None
        try:
            told = _Announced.model_validate_json(record.value or b"")
        except ValidationError:
            return None
        if told.extension != extension:
            return None
        return Installation(
            # A party of which only later releases know has its extensions enabled for members.
            party=cast("Party", told.party),
            state=told.state,
            domains=told.domains,
            domains_revision=told.domains_revision,
            permissions=told.permissions,
        )
