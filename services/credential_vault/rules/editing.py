"""A rotation: new credentials wait, are tried, and become current, or nothing changes at all."""

from dataclasses import replace

from keyturn_contracts.credential_vault import (
    AccountAdded,
    AccountEdited,
    AddAccountReason,
    CredentialsRotated,
    EditAccount,
    EditAccountReason,
    EditCredentials,
    EditCredentialsReason,
)

from services.credential_vault.rules.account import Account, Desk, Version, event_about
from services.credential_vault.rules.content import (
    Content,
    Settings,
    judge_content,
    known_extension,
)
from services.credential_vault.rules.entitlement import explain, refuse_use, why_not
from services.credential_vault.rules.ownership import owned, who
from services.credential_vault.rules.trial import Trial
from shared.decisions import Applied, Decision, Later, Refused, Unchanged
from shared.messaging.envelope import Asked


def decide_account_edit(
    desk: Desk | None, asked: Asked[EditAccount]
) -> Decision[Desk, EditAccountReason]:
    """Change the name, or how versions are retired that are replaced from now on."""
    found = owned(desk, asked, "edit")
    if isinstance(found, Refused):
        return found
    desk, account = found
    edited = replace(
        account,
        name=asked.command.name or account.name,
        retire=asked.command.retire or account.retire,
    )
    if edited == account:
        return Unchanged("The account has this name and this setting for retirement already.")
    return Applied(
        desk.on_record(edited, at=asked.at, by=who(asked.actor), action="edit", result="done"),
        (event_about(AccountEdited, edited),),
    )


def decide_rotation(
    desk: Desk | None, asked: Asked[EditCredentials]
) -> Decision[Desk, EditCredentialsReason]:
    """Let an owner begin a rotation, one at a time; settings that are not given stay."""
    command = asked.command
    found = owned(desk, asked, "edit")
    if isinstance(found, Refused):
        return found
    desk, account = found
    if account.pending is not None:
        return Refused(
            "edit_in_progress", "The credentials are being edited already: wait for the outcome."
        )
    if command.replaces_version not in {None, account.version}:
        return Refused(
            "version_differs",
            f"Version {account.version} is current, not {command.replaces_version}.",
        )
    entitlement = desk.entitlement(account.extension)
    if (refused := refuse_use(account.extension, entitlement, desk.contact)) is not None:
        return refused
    content = judge_content(
        known_extension(desk, account.extension),
        entitlement,
        command.scheme or account.scheme,
        Settings(account.settings, are_kept=True)
        if command.settings is None
        else Settings(command.settings),
        desk.unsealed[asked.id],
    )
    if not isinstance(content, Content):
        return content
    number = account.last_number + 1
    by = who(asked.actor)
    pending = content.to_try(number, at=asked.at, by=by, retires=command.retire)
    return Later(
        desk.on_record(
            replace(account.with_version(pending), last_number=number),
            at=asked.at,
            by=by,
            action="rotate",
            result="begun",
            version=number,
        )
    )


def conclude_edit(
    desk: Desk | None, trial: Trial
) -> Decision[Desk, AddAccountReason | EditCredentialsReason]:
    """Judge what the provider said of the pending version, about the account as it is by now.

    A worker whose claim somebody else has taken over concludes nothing. No account begins of an
    extension that the brand may not use by now; one that is there already goes on as its provider
    said, if that was asked.
    """
    if desk is None or desk.account is None:
        raise LookupError("A version was tried whose account is not there.")
    account = desk.account
    pending = account.pending
    if pending is None or (pending.number, pending.claim) != (trial.number, trial.claim):
        return Later(desk)
    if account.state == "deleted":
        return Refused(
            "account_deleted",
            "The account was deleted while its credentials were being edited.",
            _give_up(desk, account, pending, trial, "account_deleted"),
        )
    reason = trial.not_entitled
    if reason is None and account.state == "adding":
        reason = why_not(desk.entitlement(account.extension))
    if reason is not None:
        return Refused(
            reason,
            explain(account.extension, reason, desk.contact),
            _give_up(desk, account, pending, trial, reason),
        )
    if trial.verdict != "accepted":
        return Refused(
            trial.verdict, trial.said, _give_up(desk, account, pending, trial, trial.verdict)
        )
    return _promote(desk, account, pending, trial)


def _give_up(desk: Desk, account: Account, pending: Version, trial: Trial, reason: str) -> Desk:
    """Return the account without the pending version, whose number is never used again."""
    refused = replace(
        pending,
        status="refused",
        ended_at=trial.at,
        ended_by=pending.created_by,
        refusal=reason,
        try_since=None,
    )
    return desk.on_record(
        account.with_version(refused),
        at=trial.at,
        by=pending.created_by,
        action="add" if account.state == "adding" else "rotate",
        result="refused",
        version=pending.number,
        reason=reason,
    )


def _promote(desk: Desk, account: Account, pending: Version, trial: Trial) -> Applied[Desk]:
    replaced = account.current
    new = replace(
        pending,
        status="current",
        promoted_at=trial.at,
        retires=None,
        # Who asked to have the replaced version tried hears what is said of this one.
        try_since=replaced.try_since if replaced is not None else None,
    )
    promoted = replace(
        account.with_version(new),
        state="connected",
        reason=None,
        version=new.number,
        scheme=new.scheme,
        settings=new.settings,
    )
    if replaced is not None:
        promoted = promoted.with_version(_replace(replaced, account, pending, trial))
    on_record = desk.on_record(
        promoted,
        at=trial.at,
        by=pending.created_by,
        action="rotate" if account.is_known else "add",
        result="done",
        version=new.number,
    )
    kind = CredentialsRotated if account.is_known else AccountAdded
    return Applied(on_record, (event_about(kind, promoted),))


def _replace(replaced: Version, account: Account, pending: Version, trial: Trial) -> Version:
    """Return the version that was current as a previous one, and how it will be retired.

    `now` is due at once: it waits for nobody's confirmation, and who asked for it is on record.
    """
    retire = pending.retires or account.retire
    at_once = retire == "now"
    return replace(
        replaced,
        status="previous",
        retire=retire,
        try_since=None,
        retire_at=trial.at if at_once else None,
        ended_by=pending.created_by if at_once else None,
    )
