"""Deleting an account: a rotation to nothing."""

from dataclasses import replace

from keyturn_contracts.credential_vault import (
    AccountDeleted,
    DeleteAccount,
    DeleteAccountReason,
)

from services.credential_vault.rules.account import Desk, event_about
from services.credential_vault.rules.ownership import owned, who
from shared.decisions import Applied, Decision, Refused
from shared.messaging.envelope import Asked


def decide_deletion(
    desk: Desk | None, asked: Asked[DeleteAccount]
) -> Decision[Desk, DeleteAccountReason]:
    """Let an owner delete. Fetches answer `deleted` from here on; holders let go and confirm it.

    An edit or a try that is under way is left to its worker, which finds the account deleted.
    """
    found = owned(desk, asked.command.account_id, asked.actor)
    if isinstance(found, Refused):
        return found
    desk, account = found
    number = account.last_number + 1
    deleted = replace(account, state="deleted", reason=None, version=number, last_number=number)
    if account.current is not None:
        deleted = deleted.with_version(
            replace(account.current, status="previous", retire="when-complete")
        )
    return Applied(
        desk.on_record(
            deleted,
            at=asked.at,
            by=who(asked.actor),
            action="delete",
            result="done",
            version=number,
        ),
        (event_about(AccountDeleted, deleted),),
    )
