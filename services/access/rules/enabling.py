"""Who may use an extension of a third party; a first party's comes with the licence, for all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from keyturn_contracts.access import (
    EVERYONE,
    DisableExtension,
    DisableExtensionReason,
    EnableExtension,
    EnableExtensionReason,
)
from keyturn_contracts.message import Verdict
from keyturn_contracts.rights import InstallationFact, why_barred

from services.access.rules import verdicts
from services.access.rules.enablement import Enablement, disabled, event_about
from services.access.rules.members import MemberList, is_administrator
from services.access.rules.record import Record, record_of
from shared.decisions import Applied, Decision, NotYetKnown, Refused, Unchanged
from shared.messaging.envelope import Asked

_Asked = Asked[EnableExtension] | Asked[DisableExtension]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnablementsDesk:
    """An extension as it is installed, with the enablements of everyone and of who is named."""

    installation: InstallationFact | None = None
    """None while nothing was ever said of one."""
    enablements: Mapping[str, Enablement] = field(default_factory=dict[str, Enablement])
    """By member or `*`."""
    people: MemberList = field(default_factory=MemberList)
    """Of the same members, and of who asks."""
    loaded: Mapping[str, Enablement] = field(default_factory=dict[str, Enablement], compare=False)
    """As they were when they were locked: what differs is to be saved."""
    records: tuple[Record, ...] = ()

    def is_enabled(self, member: str) -> bool:
        found = self.enablements.get(member)
        return found is not None and found.is_enabled


def decide_enabling(
    desk: EnablementsDesk | None, asked: Asked[EnableExtension]
) -> Decision[EnablementsDesk, EnableExtensionReason]:
    """Let members, or everyone, use it. Waits for news that says it is installed and licensed."""
    desk, command = desk or EnablementsDesk(), asked.command
    if refused := _refuse_others(desk, asked):
        return refused
    installation = desk.installation
    barred = why_barred(installation)
    if installation is None or barred is not None:
        raise NotYetKnown(_refuse_barred(command.extension, barred or "not_installed"))
    if installation.party == "first":
        return Unchanged(f"{command.extension} is enabled for every member, by the licence.")
    changed: dict[str, Enablement] = {}
    left: list[Verdict] = []
    for member in _named(command):
        if member != EVERYONE and not desk.people.is_member(member):
            left.append(verdicts.refuse_unknown(member))
        elif desk.is_enabled(member):
            left.append(_same(member, "It is enabled for {} already."))
        else:
            changed[member] = Enablement(by=asked.actor.subject, since=asked.at)
    if changed:
        return _apply(desk, changed, asked, left)
    if verdicts.are_all_refused(left):
        return Refused("members_refused", verdicts.say_why(left))
    return _unchanged(left, command, "It is enabled already for each of them that is a member.")


def decide_disabling(
    desk: EnablementsDesk | None, asked: Asked[DisableExtension]
) -> Decision[EnablementsDesk, DisableExtensionReason]:
    """End that. Of what is only suspended it can be ended too: it would hold again some day."""
    desk, command = desk or EnablementsDesk(), asked.command
    if refused := _refuse_others(desk, asked):
        return refused
    installation = desk.installation
    if installation is not None and installation.party == "first":
        return Refused(
            "first_party",
            f"{command.extension} comes with your licence, for every member: it cannot be "
            "disabled. Access to its accounts can be taken away.",
        )
    if why_barred(installation) == "not_installed":
        raise NotYetKnown(_refuse_barred(command.extension, "not_installed"))
    changed: dict[str, Enablement] = {}
    left: list[Verdict] = []
    for member in _named(command):
        if desk.is_enabled(member):
            changed[member] = disabled("revoked", at=asked.at, by=asked.actor.subject)
        else:
            left.append(_same(member, "It is not enabled for {}."))
    if changed:
        return _apply(desk, changed, asked, left)
    return _unchanged(left, command, "It is enabled for none of them by name.")


def _refuse_others(
    desk: EnablementsDesk, asked: _Asked
) -> Refused[EnablementsDesk, Literal["not_an_administrator"]] | None:
    if is_administrator(asked.actor, desk.people):
        return None
    return Refused(
        "not_an_administrator",
        "Only an administrator of the brand decides who may use an extension.",
    )


_Barred = Literal["not_licensed", "not_installed"]


def _refuse_barred(extension: str, barred: _Barred) -> Refused[EnablementsDesk, _Barred]:
    if barred == "not_licensed":
        return Refused(barred, f"{extension} is not in your licence now.")
    return Refused(barred, f"{extension} is not installed in your brand: install it first.")


def _named(command: EnableExtension | DisableExtension) -> Sequence[str]:
    return (EVERYONE,) if command.all else tuple(dict.fromkeys(command.members))


def _unchanged(
    left: Sequence[Verdict], command: EnableExtension | DisableExtension, sentence: str
) -> Unchanged[EnablementsDesk]:
    if command.all:
        return Unchanged(left[0].message or sentence)
    return Unchanged(sentence, verdicts=left)


def _same(member: str, sentence: str) -> Verdict:
    whom = "everyone" if member == EVERYONE else member
    return verdicts.unchanged(member, sentence.format(whom))


def _apply(
    desk: EnablementsDesk,
    changed: Mapping[str, Enablement],
    asked: _Asked,
    left: Sequence[Verdict],
) -> Applied[EnablementsDesk]:
    after = replace(
        desk,
        enablements={**desk.enablements, **changed},
        records=(
            *desk.records,
            record_of(asked, {member: one.state for member, one in changed.items()}),
        ),
    )
    extension = asked.command.extension
    events = [event_about(extension, member, one) for member, one in changed.items()]
    return Applied(after, events, left)
