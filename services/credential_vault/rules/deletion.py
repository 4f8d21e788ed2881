"""Deleting an account: a rotation to nothing."""

from dataclasses import replace
from datetime import datetime

from keyturn_contracts.credential_vault import (
    AccountDeleted,
    DeleteAccount,
    DeleteAccountReason,
)

from services.credential_vault.rules.account import Account, Desk, event_about
from services.credential_vault.rules.audit import VAULT, Who
from services.credential_vault.rules.ownership import owned, who
from shared.decisions import Applied, Decision, Refused
from shared.messaging.envelope import Asked


def decide_deletion(
    desk: Desk | None, asked: Asked[DeleteAccount]
) -> Decision[Desk, DeleteAccountReason]:
    """Let an owner delete."""
    found = owned(desk, asked, "delete")
    if isinstance(found, Refused):
        return found
    return delete(*found, at=asked.at, by=who(asked.actor))


def delete_uninstalled(desk: Desk, at: datetime) -> Applied[Desk] | None:
    """Delete an account whose extension is being uninstalled; None where there is none to delete.

    One that is still being added is left to its worker, which finds that the brand may not use the
    extension any more.
    """
    account = desk.account
    if account is None or not account.is_known:
        return None
    return delete(desk, account, at=at, by=VAULT, reason="uninstalled")


def delete(
    desk: Desk, account: Account, *, at: datetime, by: Who, reason: str | None = None
) -> Applied[Desk]:
    """Return it deleted: fetches answer so from here on, and holders let go and confirm it.

    An edit or a try that is under way is left to its worker, which finds the account deleted.
    """
    number = account.last_number + 1
    deleted = replace(account, state="deleted", reason=None, version=number, last_number=number)
    if account.current is not None:
        deleted = deleted.with_version(
            replace(account.current, status="previous", retire="when-complete")
        )
    return Applied(
        desk.on_record(
            deleted, at=at, by=by, action="delete", result="done", version=number, reason=reason
        ),
        (event_about(AccountDeleted, deleted),),
    )
