"""Trying the current credentials again, for everyone who asks meanwhile."""

from dataclasses import replace

from keyturn_contracts.credential_vault import (
    AccountVerified,
    VerifyAccount,
    VerifyAccountReason,
)

from services.credential_vault.rules.account import Account, Desk, event_about
from services.credential_vault.rules.audit import VAULT
from services.credential_vault.rules.entitlement import explain, refuse_use
from services.credential_vault.rules.ownership import owned, who
from services.credential_vault.rules.trial import Trial
from shared.decisions import Applied, Decision, Later, Refused
from shared.messaging.envelope import Asked


def decide_verification(
    desk: Desk | None, asked: Asked[VerifyAccount]
) -> Decision[Desk, VerifyAccountReason]:
    """Let an owner have the account tried. Who asks while it is being tried hears the same."""
    found = owned(desk, asked, "verify")
    if isinstance(found, Refused):
        return found
    desk, account = found
    entitlement = desk.entitlement(account.extension)
    if (refused := refuse_use(account.extension, entitlement, desk.contact)) is not None:
        return refused
    current = account.current
    if current is None:
        raise LookupError("An account that was added has no current version.")
    tried = account.with_version(replace(current, try_since=current.try_since or asked.at))
    return Later(
        desk.on_record(
            tried,
            at=asked.at,
            by=who(asked.actor),
            action="verify",
            result="begun",
            version=current.number,
        )
    )


def conclude_verification(desk: Desk | None, trial: Trial) -> Decision[Desk, VerifyAccountReason]:
    """Judge what the provider said of the version, about the account as it is by now.

    What it said of a version that was replaced meanwhile says nothing: the new one is tried.
    """
    if desk is None or desk.account is None:
        raise LookupError("A version was tried whose account is not there.")
    account = desk.account
    tried = account.find(trial.number)
    if tried is None or tried.try_since is None or tried.claim != trial.claim:
        return Later(desk)
    account = account.with_version(replace(tried, try_since=None))
    if account.state == "deleted":
        return Refused(
            "account_deleted",
            "The account was deleted while it was being tried.",
            replace(desk, account=account),
        )
    if (refusal := _refusal(desk, account, trial)) is not None:
        reason, sentence = refusal
        on_record = desk.on_record(
            account,
            at=trial.at,
            by=VAULT,
            action="verify",
            result="refused",
            version=trial.number,
            reason=trial.verdict,
        )
        return Refused(reason, sentence, on_record)
    is_accepted = trial.verdict == "accepted"
    verified = replace(
        account,
        state="connected" if is_accepted else "needs_attention",
        reason=None if is_accepted else trial.said,
    )
    return Applied(
        desk.on_record(
            verified,
            at=trial.at,
            by=VAULT,
            action="verify",
            result="done",
            version=trial.number,
            reason=None if is_accepted else trial.verdict,
        ),
        (event_about(AccountVerified, verified),),
    )


def _refusal(desk: Desk, account: Account, trial: Trial) -> tuple[VerifyAccountReason, str] | None:
    """Return why it is not known how the credentials are, so that the account stays as it is."""
    if (reason := trial.not_entitled) is not None:
        return reason, explain(account.extension, reason, desk.contact)
    if trial.verdict == "address_refused":
        # What may be connected to is for administrators to say, and nothing was sent.
        return "provider_unreachable", trial.said
    if trial.verdict in ("provider_unreachable", "scheme_not_supported"):
        return trial.verdict, trial.said
    return None
