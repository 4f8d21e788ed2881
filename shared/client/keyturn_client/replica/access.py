"""Who may use what in one brand, as it was announced last: small, and never by old news. Pure."""

import logging
from collections.abc import Iterable, Iterator
from sys import intern

from keyturn_contracts.access import EVERYONE, EnablementChanged, GrantChanged, MemberChanged
from keyturn_contracts.credential_vault import AccountChanged
from keyturn_contracts.rights import Facts, InstallationFact
from pydantic import ValidationError

from keyturn_client.replica.announced import BEFORE_ALL, Head, Position, read_head
from keyturn_client.replica.told import TOLD, TYPES, Told
from keyturn_client.wire import Read

log = logging.getLogger("keyturn_client")

_OFTEN = 100
"""Positions up to this sequence are kept once, however many have them."""


class AccessCopy:
    """The members, accounts, grants and enablements of one brand, the newest of each.

    Of what has ended its position is kept and nothing else, so that older news of it, which may
    come again, brings nothing back. What was announced last of one of them and cannot be read here
    leaves it unknown, until something newer comes. A record without a value takes it away: who
    reads the topic later finds none either.
    """

    def __init__(self, brand: str, installations: dict[str, InstallationFact], most: int) -> None:
        """Take where the brand's installations are known, and how much is kept at most (`kept`)."""
        self._brand = brand
        self._prefix = f"{brand}/".encode()
        self._installations = installations
        self._most = most
        self.forget()

    def forget(self) -> None:
        # A new one: who reads the old one in another thread finds it as it was.
        self.facts = Facts(installations=self._installations)
        self.unreadable: set[str] = set()
        """What nobody here knows, as `grants/mail/bob`."""
        self.kept = 0
        """How many members, accounts, grants and enablements there are, ended ones too."""
        self.is_overfull = False
        """There are more than may be kept: nothing is, and nothing is known."""
        self._positions: dict[str, dict[str, Position]] = {}
        """By scope, as `grants/mail`, and name; none is empty, so there are no more than `kept`."""
        self._shared: dict[Position, Position] = {}

    def hear(self, records: Iterable[Read]) -> None:
        """Take what concerns this brand; of all other records the key is read."""
        for one in records:
            if self.is_overfull:
                return
            if one.key is not None and one.key.startswith(self._prefix):
                subject = one.key.removeprefix(self._prefix).decode(errors="replace")
                kind, _, id_ = subject.partition("/")
                if (told := TOLD.get(kind)) is not None and id_:
                    self._take(one, told, subject, id_)

    def position_of(self, subject: str) -> Position:
        """Return where the newest stands that was heard of `grants/mail/bob`, or `BEFORE_ALL`."""
        scope, _, name = subject.rpartition("/")
        return self._positions.get(scope, {}).get(name, BEFORE_ALL)

    def is_doubtful(self, member: str, account_id: str) -> bool:
        """Tell whether anything about the member and the account cannot be read here."""
        return not self.unreadable.isdisjoint(_about_account(member, account_id))

    def is_doubtful_of(self, member: str, extension: str) -> bool:
        """Tell whether anything about the member and the extension cannot be read here."""
        return not self.unreadable.isdisjoint(_about_extension(member, extension))

    def _take(self, record: Read, told: type[Told], subject: str, id_: str) -> None:
        if told.event is MemberChanged:
            self.facts.has_list = True
        if record.value is None:
            self._let_go(subject)
            told.drop(self.facts, id_)
            return
        scope, _, name = subject.rpartition("/")
        positions = self._positions.get(scope, {})
        newest = positions.get(name, BEFORE_ALL)
        head = read_head(record)
        if head is not None and head.position <= newest:
            return
        if name not in positions:
            if self.kept >= self._most:
                self._give_up()
                return
            self.kept += 1
            self._positions[scope] = positions
        positions[intern(name)] = self._once(head.position) if head is not None else newest
        if head is not None and self._is_kept(record, told, head, id_):
            self.unreadable.discard(subject)
            return
        self.unreadable.add(subject)
        told.drop(self.facts, id_)
        log.warning(
            "What %s announces of %s cannot be read here: whatever rests on it is not allowed "
            "until something newer comes. Is this keyturn-client older than the services?",
            record.name,
            subject,
        )

    def _let_go(self, subject: str) -> None:
        scope, _, name = subject.rpartition("/")
        positions = self._positions.get(scope, {})
        self.kept -= positions.pop(name, None) is not None
        if not positions:
            self._positions.pop(scope, None)
        self.unreadable.discard(subject)

    def _is_kept(self, record: Read, told: type[Told], head: Head, id_: str) -> bool:
        if head.type not in TYPES[told] or head.brand != self._brand:
            return False
        try:
            found = told.model_validate_json(record.value or b"")
        except ValidationError:
            return False
        if found.subject_id != id_:
            return False
        found.keep(self.facts)
        return True

    def _once(self, position: Position) -> Position:
        if position[1] > _OFTEN:
            return position
        return self._shared.setdefault(position, position)

    def _give_up(self) -> None:
        most = self._most
        self.forget()
        self.is_overfull = True
        log.error(
            "The brand has more members, accounts, grants and enablements than the %d that this "
            "replica may keep: it decides nothing about access. Raise `max_kept`, or ask the "
            "service.",
            most,
        )


def _about_account(member: str, account_id: str) -> Iterator[str]:
    yield f"{MemberChanged.kind}/{member}"
    yield f"{AccountChanged.kind}/{account_id}"
    for one in (member, EVERYONE):
        yield f"{GrantChanged.kind}/{account_id}/{one}"


def _about_extension(member: str, extension: str) -> Iterator[str]:
    yield f"{MemberChanged.kind}/{member}"
    for one in (member, EVERYONE):
        yield f"{EnablementChanged.kind}/{extension}/{one}"
