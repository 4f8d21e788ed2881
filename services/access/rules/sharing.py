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
    """An account with the grants of its owners, of everyone, and of the members that are named."""

    account: Account | None = None
    """None while the vault's news of it has not come."""
    grants: Mapping[str, Grant] = field(default_factory=dict[str, Grant])
    """By member or `*`."""
    people: MemberList = field(default_factory=MemberList)
    """Of the same members, and of who asks."""
    loaded: Mapping[str, Grant] = field(default_factory=dict[str, Grant], compare=False)
    """The grants as they were when they were locked: what differs is to be saved."""
    records: tuple[Record, ...] = ()

    def held(self, member: str, at: datetime) -> Grant | None:
        """Return what they, or everyone, have now."""
        grant = self.grants.get(member)
        return grant if grant is not None and grant.holds_at(at) else None

    def owners(self, at: datetime) -> frozenset[str]:
        """Return who owns it now: of those who hold an owner's grant who is a member."""
        return frozenset(
            member
            for member, one in self.grants.items()
            if one.level == "owner" and one.holds_at(at) and self.people.is_member(member)
        )


RefusedShare = Refused[GrantsDesk, Literal["account_unknown", "account_deleted", "not_an_owner"]]
RefusedGift = Refused[GrantsDesk, Literal["uninstalling"]]


def refuse_others(desk: GrantsDesk, asked: Asked[AboutGrants]) -> RefusedShare | None:
    """Return the refusal of whoever may not decide who has access to the account.

    Its owners may; where nobody owns it, the brand's administrators; nobody whom an issuer vouches
    for as neither a member nor an administrator, whatever they are called. What is not known yet is
    waited for: the account itself, and that its creator is made its first owner.
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
    facts = _facts_of(desk, account_id, account)
    decision = decide(facts, who, "share", account_id, asked.at)
    if decision.allowed:
        return None
    if (
        account.is_created
        and is_administrator(asked.actor, desk.people)
        and not desk.owners(asked.at)
    ):
        return None
    [why] = explain(facts, decision, member=who, action="share", account_id=account_id, at=asked.at)
    refused: RefusedShare = Refused("not_an_owner", why)
    if not account.is_created:
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
    after = replace(
        desk,
        grants={**desk.grants, **changed},
        records=(*desk.records, record_of(asked, became)),
    )
    events = [event_about(account_id, member, one) for member, one in changed.items()]
    return Applied(after, events, verdicts)


def _facts_of(desk: GrantsDesk, account_id: str, account: Account) -> Facts:
    grants = {member: one.fact for member, one in desk.grants.items() if one.state == "granted"}
    return Facts(
        has_list=desk.people.has_list,
        members=dict(desk.people.roles),
        accounts={account_id: AccountFact(account.extension, is_deleted=account.is_deleted)},
        grants={account_id: grants},
    )
