"""Who may use which account: the one place that the access service's answers will replace."""

from collections.abc import Mapping

from keyturn_contracts.workflow import NotAllowed

from services.workflow.rules.account import Account


def may_use(account: Account | None, member: str) -> NotAllowed | None:
    """Return why a workflow of this member may not use the account, or None where it may.

    An account's creator is its one owner and the one member who may use it. Of several reasons it
    is the one that most have in common: what holds for everybody comes before what holds for one.
    """
    reason = why_nobody(account)
    if account is None or reason is not None:
        return reason
    return None if account.creator == member else "no_access"


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
    "no_access": "The workflow's owner may not use this account.",
}
"""Each reason as a sentence for people."""


def count_allowed(account: Account, bindings_by_owner: Mapping[str, int]) -> int:
    """Count the bindings that are allowed, of a holding's bindings by their workflows' owners."""
    return sum(
        count for owner, count in bindings_by_owner.items() if may_use(account, owner) is None
    )
