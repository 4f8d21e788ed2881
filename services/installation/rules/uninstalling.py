"""Uninstalling: it begins by a command, and is complete when each participant has said so."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from keyturn_contracts.installation import (
    PARTICIPANTS,
    ExtensionUninstalled,
    ImpactChanged,
    InstallationChanged,
    Uninstallation,
    UninstallExtension,
    UninstallExtensionReason,
    UninstallOverdue,
    UninstallStarted,
)

from services.installation.rules.entitlement import refuse_others
from services.installation.rules.impact import Impact, revision_of, with_added
from services.installation.rules.installation import Desk, Installation, event_about, with_reach
from shared.decisions import Applied, Decision, NotYetKnown, Refused, Unchanged
from shared.messaging.envelope import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearance:
    """What one participant said last of its part of an uninstallation."""

    uninstall_id: str
    is_done: bool
    count: int
    """Of accounts that were deleted, of tasks that were suspended, or of grants that were ended."""


Clearances = Mapping[str, Clearance]
"""By the name of the service."""


def decide_uninstallation(
    desk: Desk | None, asked: Asked[UninstallExtension]
) -> Decision[Desk, UninstallExtensionReason]:
    """Begin: from here on nobody can use the extension, and each participant ends its part.

    What the licence does not cover any more can be uninstalled too.
    """
    command = asked.command
    if refused := refuse_others(asked.actor):
        return refused
    before = desk.installation if desk is not None else None
    if desk is None or before is None or before.state == "uninstalled":
        unknown: Refused[object, UninstallExtensionReason] = Refused(
            "not_installed", f"{command.extension} is not installed in your brand."
        )
        if desk is not None and desk.offer is not None and not desk.offer.is_first_party:
            return Refused(unknown.reason, unknown.message)
        raise NotYetKnown(unknown)
    if before.state == "uninstalling":
        return Unchanged("It is being uninstalled already.")
    if before.is_implicit:
        return Refused(
            "implicit",
            f"{before.in_force.name} comes with your licence: it cannot be uninstalled.",
        )
    if desk.impact is None:
        raise LookupError("An uninstallation is judged without what it touches.")
    revision = revision_of(impact_of(before, desk.impact))
    if not command.force and command.revision != revision:
        return Refused(
            "impact_changed",
            "What the uninstallation touches is not what you have seen: look at it again, and send "
            "its revision, or `force`.",
            details=ImpactChanged(revision=revision),
        )
    begun = Uninstallation(
        uninstall_id=asked.id.id,
        by=asked.actor.subject,
        reason=command.reason,
        started_at=asked.at,
        deadline=asked.at + desk.policy.uninstall_within,
        waiting=PARTICIPANTS,
    )
    after = with_reach(replace(before, state="uninstalling", proposed=None, uninstallation=begun))
    return Applied(replace(desk, installation=after), (event_about(UninstallStarted, after),))


def impact_of(installation: Installation, elsewhere: Impact) -> Impact:
    """Return all that uninstalling touches: at other services, and here."""
    return with_added(elsewhere, (one.rule for one in installation.added))


def follow_uninstallation(
    installation: Installation, clearances: Clearances, now: datetime
) -> tuple[Installation, type[InstallationChanged]]:
    """Return it as far as it has got, and which event says so.

    A clearance of an earlier uninstallation says nothing of this one.
    """
    begun = installation.uninstallation
    if begun is None:
        raise LookupError("It is being uninstalled, and nobody knows since when.")
    own = {
        service: one
        for service, one in clearances.items()
        if one.uninstall_id == begun.uninstall_id
    }
    waiting = tuple(one for one in PARTICIPANTS if one not in own or not own[one].is_done)
    is_overdue = begun.overdue or (bool(waiting) and now >= begun.deadline)
    seen = begun.model_copy(
        update={
            "waiting": waiting,
            "overdue": is_overdue,
            "accounts": own["credential-vault"].count if "credential-vault" in own else 0,
            "tasks": own["workflow"].count if "workflow" in own else 0,
            "grants": own["access"].count if "access" in own else 0,
        }
    )
    if not waiting:
        ended = seen.model_copy(update={"completed_at": now})
        return _ended(installation, ended), ExtensionUninstalled
    kind = UninstallOverdue if is_overdue else UninstallStarted
    return replace(installation, uninstallation=seen), kind


def _ended(installation: Installation, uninstallation: Uninstallation) -> Installation:
    """Nothing of the brand's own is left but the record of who accepted what."""
    return replace(
        installation,
        state="uninstalled",
        added=(),
        hosts=(),
        hosts_left_out=0,
        uninstallation=uninstallation,
    )
