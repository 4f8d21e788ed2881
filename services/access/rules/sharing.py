"""One account with the grants on it that commands are about, and who may decide of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from keyturn_contracts.access import GrantAccess, GrantAccessToAll, RevokeAccess
from keyturn_contracts.message import Verdict
from keyturn_contracts.reasons import explain
from keyturn_contracts.rights import AccountFact, Facts, decide

from services.access.rules.grant import Grant, event_about
from services.access.rules.members import MemberList, is_administrator, is_of_the_brand
from services.access.rules.record import Record, record_of
from shared.decisions import Applied, NotYetKnown, Refused
from shared.messaging.envelope import Asked

AboutGrants = GrantAccess | GrantAccessToAll | RevokeAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """As much of an account as decides who has access to it."""

    extension: str
    name: str
    is_deleted: bool = False
    is_created: bool = True
    """Its creator was made an owner, which happens once."""
    is_uninstalling: bool = False
    """Its extension is being uninstalled, or was, and the account is to go with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantsDesk:
    """An account with the grants of its owners, of everyone, and of the members that are named.

    Several commands may name very many members together: each looks only at those that it names,
    and at the owners.
    """

    account: Account | None = None
    """None while the vault's news of it has not come."""
    loaded: Mapping[str, Grant] = field(default_factory=dict[str, Grant])
    """By member or `*`, the grants as they were when they were locked."""
    changed: Mapping[str, Grant] = field(default_factory=dict[str, Grant])
    """What became of some of them since."""
    owning: frozenset[str] = frozenset()
    """Who holds an owner's grant that is not ended, whether it still counts or not."""
    people: MemberList = field(default_factory=MemberList)
    """Of the same members, and of who asks."""
    records: tuple[Record, ...] = ()

    @classmethod
    def of(
        cls, account: Account | None, grants: Mapping[str, Grant], people: MemberList
    ) -> "GrantsDesk":
        """Return it with grants as they were locked."""
        owning = frozenset(member for member, one in grants.items() if one.is_owning)
        return cls(account=account, loaded=grants, owning=owning, people=people)

    def grant_of(self, member: str) -> Grant | None:
        """Return what they, or everyone, have or had."""
        return self.changed.get(member) or self.loaded.get(member)

    def held(self, member: str, at: datetime) -> Grant | None:
        """Return what they, or everyone, have now."""
        grant = self.grant_of(member)
        return grant if grant is not None and grant.holds_at(at) else None

    def owners(self, at: datetime) -> frozenset[str]:
        """Return who owns it now: of those who hold an owner's grant who is a member."""
        return frozenset(
            member
            for member in self.owning
            if self.held(member, at) is not None and self.people.is_member(member)
        )

    def with_changed(self, grants: Mapping[str, Grant], record: Record) -> "GrantsDesk":
        """Return it with grants that are different, and put on record."""
        became = {member for member, one in grants.items() if one.is_owning}
        return replace(
            self,
            changed={**self.changed, **grants},
            owning=self.owning.difference(grants) | became,
            records=(*self.records, record),
        )


RefusedShare = Refused[GrantsDesk, Literal["account_unknown", "account_deleted", "not_an_owner"]]
RefusedGift = Refused[GrantsDesk, Literal["uninstalling"]]


def refuse_others(desk: GrantsDesk, asked: Asked[AboutGrants]) -> RefusedShare | None:
    """Return the refusal of whoever may not decide who has access to the account.

    Its owners may; where nobody owns it, the brand's administrators; nobody whom an issuer vouches
    for as neither a member nor an administrator, whatever they are called. What is not known yet is
    waited for: the account itself, and that its creator is made its first owner. Of what is being
    uninstalled nobody is made one any more.
    """
    account_id, account = asked.command.account_id, desk.account
    if account is None:
        raise NotYetKnown(
            Refused("account_unknown", f"Your brand has no such account as {account_id}.")
        )
    if account.is_deleted:
        return Refused("account_deleted", f"{account.name} was deleted: nobody has access to it.")
    who = asked.actor.subject
    if not is_of_the_brand(asked.actor):
        return Refused(
            "not_an_owner",
            f"Only members of the brand decide who has access, and {who} acts as none: ask one of "
            "the account's owners.",
        )
    facts = _facts_about(desk, who, account_id, account)
    decision = decide(facts, who, "share", account_id, asked.at)
    if decision.allowed:
        return None
    is_settled = account.is_created or account.is_uninstalling
    if is_settled and is_administrator(asked.actor, desk.people) and not desk.owners(asked.at):
        return None
    [why] = explain(facts, decision, member=who, action="share", account_id=account_id, at=asked.at)
    refused: RefusedShare = Refused("not_an_owner", why)
    if not is_settled:
        raise NotYetKnown(refused)
    return refused


def refuse_uninstalling(desk: GrantsDesk) -> RefusedGift | None:
    """Return the refusal of giving what the uninstallation would have to take away again."""
    account = desk.account
    if account is None or not account.is_uninstalling:
        return None
    return Refused(
        "uninstalling",
        f"{account.extension} is being uninstalled, and {account.name} goes with it: install it "
        "again, add an account, and share that.",
    )


def apply(
    desk: GrantsDesk,
    changed: Mapping[str, Grant],
    asked: Asked[AboutGrants],
    verdicts: Sequence[Verdict] = (),
) -> Applied[GrantsDesk]:
    """Return it with grants that are different, told and put on record."""
    account_id = asked.command.account_id
    became = {
        member: one.level if one.state == "granted" else one.state
        for member, one in changed.items()
    }
    after = desk.with_changed(changed, record_of(asked, became))
    events = [event_about(account_id, member, one) for member, one in changed.items()]
    return Applied(after, events, verdicts)


def _facts_about(desk: GrantsDesk, who: str, account_id: str, account: Account) -> Facts:
    """Return as much as decides what this one member may do with the account."""
    role, grant = desk.people.roles.get(who), desk.grant_of(who)
    grants = {who: grant.fact} if grant and grant.state == "granted" else {}
    return Facts(
        has_list=desk.people.has_list,
        members={who: role} if role else {},
        accounts={account_id: AccountFact(account.extension, is_deleted=account.is_deleted)},
        grants={account_id: grants},
    )
