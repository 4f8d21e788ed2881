"""Who may change an account."""

from typing import Literal

from keyturn_contracts.actor import Actor

from services.credential_vault.rules.account import Account, Desk
from services.credential_vault.rules.audit import Who
from shared.decisions import Refused


def who(actor: Actor) -> Who:
    return Who(actor.issuer, actor.subject)


def owned(
    desk: Desk | None, account_id: str, actor: Actor
) -> tuple[Desk, Account] | Refused[Desk, Literal["account_unknown", "not_an_owner"]]:
    """Return the account, and the desk that it lies on, if the actor may change it.

    An unknown account, a deleted one, one that is still being added and another brand's look alike.
    """
    if desk is None or desk.account is None or not desk.account.is_known:
        return Refused("account_unknown", f"There is no account {account_id} in your brand.")
    if desk.account.creator != actor.subject:
        return Refused(
            "not_an_owner", "Only an owner can change this account. Ask the one who added it."
        )
    return desk, desk.account
