"""Who may change an account: its owners, as the access service announced them."""

from dataclasses import replace
from typing import Literal, Never

from keyturn_contracts.actor import BRAND_ROLES, Actor
from keyturn_contracts.credential_vault import (
    DeleteAccount,
    EditAccount,
    EditCredentials,
    VerifyAccount,
)
from keyturn_contracts.reasons import explain
from keyturn_contracts.rights import AccountFact, OwnersAction, decide

from services.credential_vault.rules.account import Account, Desk
from services.credential_vault.rules.audit import Who
from shared.decisions import NotYetKnown, Refused
from shared.messaging.envelope import Asked

AskedOfOwners = Asked[EditAccount | EditCredentials | VerifyAccount | DeleteAccount]


def who(actor: Actor) -> Who:
    return Who(actor.issuer, actor.subject)


def owned(
    desk: Desk | None, asked: AskedOfOwners, action: OwnersAction
) -> tuple[Desk, Account] | Refused[Never, Literal["account_unknown", "not_an_owner"]]:
    """Return the account, and the desk that it lies on, if who asks may do that with it.

    An unknown account, a deleted one, one that is still being added and another brand's look alike.

    Raises `NotYetKnown` where news on its way may say otherwise. While nobody owns the account its
    creator, or the administrators, are about to be made owners. Whoever can own accounts may have
    been made an owner just now: an administrator, and while no list of the brand is known here
    anybody. All others are refused at once, so that who has no right to it does not keep the
    account's owners waiting either, for whom its key is held meanwhile. That is too early for one
    who was made an owner before the list began, if its news has overtaken that of the grant.
    """
    account_id = asked.command.account_id
    if desk is None or desk.account is None or not desk.account.is_known:
        return Refused("account_unknown", f"There is no account {account_id} in your brand.")
    member, roles = asked.actor.subject, asked.actor.roles
    extension = desk.account.extension
    facts = replace(desk.facts, accounts={account_id: AccountFact(extension)})
    decision = decide(facts, member, action, account_id, asked.at)
    if decision.code == "not_a_member" or not roles & BRAND_ROLES:
        return Refused(
            "not_an_owner",
            f"Only members of the brand can change its accounts, and {member} is none: ask one of "
            "its administrators.",
        )
    if decision.allowed:
        return desk, desk.account
    [why] = explain(
        facts, decision, member=member, action=action, account_id=account_id, at=asked.at
    )
    refused: Refused[Never, Literal["not_an_owner"]] = Refused(
        "not_an_owner", f"{why} {_whom_to_ask(desk)}"
    )
    if not desk.owners or "administrator" in roles or not facts.has_list:
        raise NotYetKnown(refused)
    return refused


def _whom_to_ask(desk: Desk) -> str:
    """Say it by name: members read in the account's table of access who its owners are."""
    if not desk.owners:
        return "Nobody owns it now: an administrator of your brand can make owners."
    if len(desk.owners) == 1:
        return f"Ask {desk.owners[0]}, who owns it."
    return f"Ask one of its owners, such as {' or '.join(desk.owners)}."
