"""Connecting to an extension: an account begins when its provider has accepted it."""

from typing import Never

from keyturn_contracts.catalog import ExtensionChanged
from keyturn_contracts.credential_vault import AddAccount, AddAccountReason

from services.credential_vault.rules.account import Account, Desk
from services.credential_vault.rules.content import (
    Content,
    Settings,
    judge_content,
    known_extension,
)
from services.credential_vault.rules.entitlement import NotEntitled, refuse_use
from services.credential_vault.rules.ownership import who
from shared.decisions import Decision, Later, NotYetKnown, Refused
from shared.messaging.envelope import Asked


def decide_addition(
    desk: Desk | None, asked: Asked[AddAccount]
) -> Decision[Desk, AddAccountReason]:
    """Let an administrator add an account; whether it is one, the provider says.

    The access service makes its creator the first owner. The id of an account that was refused may
    be tried again, by anyone; that of a deleted one is never used again.
    """
    command = asked.command
    if "administrator" not in asked.actor.roles:
        return Refused("not_an_administrator", "Only an administrator of the brand adds accounts.")
    before = desk.account if desk is not None else None
    if before is not None and before.state != "adding":
        return Refused(
            "account_exists",
            f"The id {command.account_id} is taken: choose a new one. The account that has it may "
            "be deleted.",
        )
    if before is not None and before.pending is not None:
        return Refused("edit_in_progress", "This account is being added: wait for the outcome.")
    desk = desk or Desk(account=None)
    extension = _offered(desk, command.extension)
    if isinstance(extension, Refused):
        return extension
    content = judge_content(
        extension,
        desk.entitlement(command.extension),
        command.scheme,
        Settings(command.settings),
        desk.unsealed[asked.id],
    )
    if not isinstance(content, Content):
        return content
    number = (before.last_number if before is not None else 0) + 1
    first = content.to_try(number, at=asked.at, by=who(asked.actor))
    account = Account(
        id=command.account_id,
        extension=command.extension,
        name=command.name,
        creator=asked.actor.subject,
        retire=command.retire,
        state="adding",
        last_number=number,
        scheme=content.scheme,
        settings=content.settings,
        versions=(first,),
    )
    return Later(
        desk.on_record(
            account,
            at=asked.at,
            by=who(asked.actor),
            action="add",
            result="begun",
            version=number,
        )
    )


def _offered(desk: Desk, slug: str) -> ExtensionChanged | Refused[Never, NotEntitled]:
    """Return the extension, if the brand may use it, and has it already where it was retired.

    Retiring one touches no installation, and the platform's own has one in each brand that it was
    licensed to before. To a brand that may not use it, nothing more shows of it.
    """
    extension, entitlement = known_extension(desk, slug), desk.entitlement(slug)
    if (refused := refuse_use(slug, entitlement, desk.contact)) is not None:
        return refused
    if extension.state == "retired" and entitlement.state != "installed":
        # That of the platform's own follows the licence by itself: its news may be on the way.
        name = extension.manifest.name
        raise NotYetKnown(Refused("extension_unknown", f"{name} is not offered any more."))
    return extension
