"""Who may use which account, and what becomes of a task whose workflow's owner may not."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from keyturn_contracts import rights
from keyturn_contracts.access import OnLoss
from keyturn_contracts.rights import AccountFact, Facts, InstallationFact, decide
from keyturn_contracts.workflow import NotAllowed

from services.workflow.rules.account import Account

_OF_A_MEMBER: frozenset[NotAllowed] = frozenset({"not_a_member", "not_enabled", "no_access"})
"""Reasons that hold for one member and not for everybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What the access service announced of a brand, as much as a question needs, at one moment."""

    at: datetime
    facts: Facts = field(default_factory=Facts)
    on_loss: OnLoss = "suspend"


def know(facts: Facts, account: Account) -> None:
    """Put an account that nobody is barred from into the facts, with its extension."""
    facts.accounts[account.id] = AccountFact(account.extension)
    facts.installations[account.extension] = InstallationFact(account.party, "installed")


def may_use(account: Account | None, member: str, access: Access) -> NotAllowed | None:
    """Return why a workflow of this member may not use the account, or None where it may.

    Of several reasons it is the one that most have in common: what holds for everybody comes before
    what holds for one. An account that the facts do not know is not allowed.
    """
    reason = why_nobody(account)
    if account is None or reason is not None:
        return reason
    decision = decide(access.facts, member, "use", account.id, access.at)
    # Of `use` no other code comes: `not_an_owner` and `copy_too_old` are about something else.
    return None if decision.allowed else cast("NotAllowed", decision.code)


def why_suspended(account: Account | None, member: str, access: Access) -> NotAllowed | None:
    """Return why tasks of this member's workflows must not run, or None where they may.

    A brand can choose that those of members without access go on and are flagged. What holds for
    everybody suspends in any case.
    """
    reason = may_use(account, member, access)
    return None if is_flagged(reason, access) else reason


def is_flagged(reason: NotAllowed | None, access: Access) -> bool:
    """Tell whether a task goes on though its owner has no access, by the brand's choice."""
    return access.on_loss == "flag" and reason in _OF_A_MEMBER


def owners_of(account_id: str, access: Access) -> frozenset[str]:
    """Return who owns the account, as far as the facts know; whatever becomes of its extension."""
    return rights.owners(access.facts, account_id, access.at)


def why_nobody(account: Account | None) -> NotAllowed | None:
    """Return why nobody may use the account, or None where somebody may.

    None stands for an account whose news has not come, or that does not exist: nobody can tell them
    apart. A deleted one stays so, whatever comes back of its extension.
    """
    if account is None:
        return "account_unknown"
    return "account_deleted" if account.is_deleted else account.barred


WHY: dict[NotAllowed, str] = {
    "account_unknown": "There is no such account in the brand, or its news has not come yet.",
    "account_deleted": "The account was deleted.",
    "not_licensed": "The extension of this account is not in the brand's licence.",
    "not_installed": "The extension of this account is not installed in the brand.",
    "not_a_member": "The workflow's owner is not on the brand's list of members.",
    "not_enabled": "The extension of this account is not enabled for the workflow's owner.",
    "no_access": "The workflow's owner may not use this account.",
}
"""Each reason as a sentence for people."""
