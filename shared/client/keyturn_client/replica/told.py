"""What is needed of each event that decides about access, and how it changes the facts. Pure."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import ClassVar

from keyturn_contracts import access, credential_vault
from keyturn_contracts.ids import Id, Slug
from keyturn_contracts.message import Event, Part
from keyturn_contracts.registry import EVENT_BY_TYPE
from keyturn_contracts.rights import AccountFact, Facts, Grant
from pydantic import AwareDatetime


class Told(Part):
    """Base: of an event as little as decides. What may grow elsewhere in it stops nobody."""

    event: ClassVar[type[Event]]

    @property
    def subject_id(self) -> str:
        raise NotImplementedError

    def keep(self, facts: Facts) -> None:
        """Have the facts say this, whatever they said of it before."""
        raise NotImplementedError

    @classmethod
    def drop(cls, facts: Facts, subject_id: str) -> None:
        """Have the facts say nothing of it."""
        raise NotImplementedError


class ToldMember(Told):
    event: ClassVar = access.MemberChanged

    member_id: access.MemberId
    role: access.MemberRole
    state: access.MemberState

    @property
    def subject_id(self) -> str:
        return self.member_id

    def keep(self, facts: Facts) -> None:
        if self.state == "registered":
            facts.members[intern(self.member_id)] = self.role
        else:
            self.drop(facts, self.member_id)

    @classmethod
    def drop(cls, facts: Facts, subject_id: str) -> None:
        facts.members.pop(subject_id, None)


class ToldAccount(Told):
    event: ClassVar = credential_vault.AccountChanged

    account_id: Id
    extension: Slug
    state: credential_vault.AccountState

    @property
    def subject_id(self) -> str:
        return self.account_id

    def keep(self, facts: Facts) -> None:
        fact = _account(self.extension, is_deleted=self.state == "deleted")
        facts.accounts[intern(self.account_id)] = fact

    @classmethod
    def drop(cls, facts: Facts, subject_id: str) -> None:
        facts.accounts.pop(subject_id, None)


class ToldGrant(Told):
    event: ClassVar = access.GrantChanged

    account_id: Id
    member: access.MemberOrEveryone
    level: access.Level
    state: access.GrantState
    until: AwareDatetime | None = None

    @property
    def subject_id(self) -> str:
        return f"{self.account_id}/{self.member}"

    def keep(self, facts: Facts) -> None:
        if self.state == "granted":
            grants = facts.grants.setdefault(intern(self.account_id), {})
            grants[intern(self.member)] = _grant(self.level, self.until)
        else:
            self.drop(facts, self.subject_id)

    @classmethod
    def drop(cls, facts: Facts, subject_id: str) -> None:
        account_id, _, member = subject_id.partition("/")
        grants = facts.grants.get(account_id, {})
        grants.pop(member, None)
        if not grants:
            facts.grants.pop(account_id, None)


class ToldEnablement(Told):
    event: ClassVar = access.EnablementChanged

    extension: Slug
    member: access.MemberOrEveryone
    state: access.EnablementState

    @property
    def subject_id(self) -> str:
        return f"{self.extension}/{self.member}"

    def keep(self, facts: Facts) -> None:
        if self.state == "enabled":
            facts.enablements.setdefault(intern(self.extension), set()).add(intern(self.member))
        else:
            self.drop(facts, self.subject_id)

    @classmethod
    def drop(cls, facts: Facts, subject_id: str) -> None:
        extension, _, member = subject_id.partition("/")
        enabled = facts.enablements.get(extension, set())
        enabled.discard(member)
        if not enabled:
            facts.enablements.pop(extension, None)


TOLD: Mapping[str, type[Told]] = {
    one.event.kind: one for one in (ToldMember, ToldAccount, ToldGrant, ToldEnablement)
}
"""By the kind in a record's key."""
TYPES: Mapping[type[Told], frozenset[str]] = {
    told: frozenset(name for name, one in EVENT_BY_TYPE.items() if issubclass(one, told.event))
    for told in TOLD.values()
}
"""The types of event that this version can read."""


# Nearly all grants are the same two, and accounts of one extension are all alike: kept once.
@lru_cache(maxsize=1024)
def _grant(level: access.Level, until: datetime | None) -> Grant:
    return Grant(level, until)


@lru_cache(maxsize=1024)
def _account(extension: str, *, is_deleted: bool) -> AccountFact:
    return AccountFact(extension, is_deleted)
