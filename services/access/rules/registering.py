"""Who comes on a brand's list of members, and who goes."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from keyturn_contracts.access import (
    MemberChanged,
    MemberRegistered,
    MemberRemoved,
    RegisterMembers,
    RegisterMembersReason,
    RemoveMembers,
    RemoveMembersReason,
)
from keyturn_contracts.message import Event

from services.access.rules import enablement, grant, verdicts
from services.access.rules.enablement import Enablement
from services.access.rules.grant import Grant
from services.access.rules.members import Member, MemberList, is_administrator
from services.access.rules.record import Record, record_of
from shared.decisions import Applied, Decision, NotYetKnown, Refused, Unchanged
from shared.messaging.envelope import Asked

AccountMember = tuple[str, str]
"""Whose grant it is: the account and the member."""
ExtensionMember = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersDesk:
    """A brand's list, with those on it whom the commands name, and every administrator."""

    has_list: bool = False
    members: Mapping[str, Member] = field(default_factory=dict[str, Member])
    grants: Mapping[AccountMember, Grant] = field(default_factory=dict[AccountMember, Grant])
    enablements: Mapping[ExtensionMember, Enablement] = field(
        default_factory=dict[ExtensionMember, Enablement]
    )
    """What those had who were removed and are named to be registered again, where it is not ended
    yet."""
    has_more: bool = False
    """They had more than is ended at once: it is not all here."""
    loaded: "MembersDesk | None" = field(default=None, compare=False, repr=False)
    """As it was when it was locked: what differs is to be saved."""
    records: tuple[Record, ...] = ()

    def list_about(self, member: str) -> MemberList:
        """Return as much of the list as says who this one is."""
        found = self.members.get(member)
        if found is None or not found.is_registered:
            return MemberList(has_list=self.has_list)
        return MemberList(has_list=self.has_list, roles={member: found.role})


def decide_registration(
    desk: MembersDesk | None, asked: Asked[RegisterMembers]
) -> Decision[MembersDesk, RegisterMembersReason]:
    """Put members on the list as they are named; of who is named twice the last counts.

    Whoever comes back after a removal comes back with nothing: what they had is ended here where
    that has not been done yet. Raises `NotYetKnown` where it is too much for that: a job ends it.
    """
    desk = desk or MembersDesk()
    if not is_administrator(asked.actor, desk.list_about(asked.actor.subject)):
        return Refused("not_an_administrator", _ADMINISTRATORS_ONLY)
    named = {one.member_id: Member(name=one.name, role=one.role) for one in asked.command.members}
    changed = {id_: one for id_, one in named.items() if desk.members.get(id_) != one}
    members = {**desk.members, **changed}
    if not _has_an_administrator(members):
        if _has_an_administrator(desk.members):
            return Refused("last_administrator", _LAST_ADMINISTRATOR)
        return Refused(
            "no_administrator",
            "The list would have no administrator: register one of them as `administrator`, or "
            "nobody could change it.",
        )
    coming_back = {id_ for id_ in changed if id_ in desk.members and desk.members[id_].is_to_end}
    if coming_back and desk.has_more:
        raise NotYetKnown(Refused("still_ending", _STILL_ENDING))
    same = [
        verdicts.unchanged(id_, f"{id_} is on the list exactly so.")
        for id_ in named
        if id_ not in changed
    ]
    if not changed:
        return Unchanged("All of them are on the list exactly so.", verdicts=same)
    registered = replace(desk, has_list=True, members=members)
    after, events = _end_what_they_had(registered, changed.keys(), asked)
    record = record_of(asked, {id_: one.role for id_, one in changed.items()})
    return Applied(
        replace(after, records=(*after.records, record)),
        (*events, *_told(MemberRegistered, changed)),
        same,
    )


def decide_removal(
    desk: MembersDesk | None, asked: Asked[RemoveMembers]
) -> Decision[MembersDesk, RemoveMembersReason]:
    """Take them off the list: from here on they have no rights. A job ends what they were given."""
    desk = desk or MembersDesk()
    if not is_administrator(asked.actor, desk.list_about(asked.actor.subject)):
        return Refused("not_an_administrator", _ADMINISTRATORS_ONLY)
    named = dict.fromkeys(asked.command.members)
    changed = {
        id_: replace(one, state="removed", is_to_end=True)
        for id_ in named
        if (one := desk.members.get(id_)) is not None and one.is_registered
    }
    absent = [
        verdicts.unchanged(id_, f"{id_} is not on the list.") for id_ in named if id_ not in changed
    ]
    if not changed:
        return Unchanged("None of them is on the list.", verdicts=absent)
    members = {**desk.members, **changed}
    if not _has_an_administrator(members):
        return Refused("last_administrator", _LAST_ADMINISTRATOR)
    record = record_of(asked, dict.fromkeys(changed, "removed"))
    return Applied(
        replace(desk, members=members, records=(*desk.records, record)),
        _told(MemberRemoved, changed),
        absent,
    )


_ADMINISTRATORS_ONLY = "Only an administrator of the brand decides who its members are."
_STILL_ENDING = (
    "Of those who were removed some had so much that it is still being ended: register them again "
    "in a moment."
)
_LAST_ADMINISTRATOR = (
    "The list would have no administrator any more: make another member an administrator first."
)


def _has_an_administrator(members: Mapping[str, Member]) -> bool:
    return any(one.is_administrator for one in members.values())


def _told(kind: type[MemberChanged], changed: Mapping[str, Member]) -> Sequence[MemberChanged]:
    return [
        kind(member_id=id_, name=one.name, role=one.role, state=one.state)
        for id_, one in changed.items()
    ]


def _end_what_they_had(
    desk: MembersDesk, members: Collection[str], asked: Asked[RegisterMembers]
) -> tuple[MembersDesk, list[Event]]:
    """End what is left of before their removal, so that it does not come alive again."""
    grants = {
        key: grant.ended(one, "member_removed", at=asked.at)
        for key, one in desk.grants.items()
        if key[1] in members and one.state == "granted"
    }
    enablements = {
        key: enablement.disabled("member_removed", at=asked.at)
        for key, one in desk.enablements.items()
        if key[1] in members and one.is_enabled
    }
    subjects: defaultdict[str, dict[str, str]] = defaultdict(dict)
    events: list[Event] = []
    for (account_id, member), one in grants.items():
        event = grant.event_about(account_id, member, one)
        events.append(event)
        subjects[f"grants/{account_id}"][member] = one.state
    for (extension, member), one in enablements.items():
        events.append(enablement.event_about(extension, member, one))
        subjects[f"enablements/{extension}"][member] = one.state
    records = (
        record_of(asked, became, subject=subject, why="member_removed")
        for subject, became in subjects.items()
    )
    after = replace(
        desk,
        grants={**desk.grants, **grants},
        enablements={**desk.enablements, **enablements},
        records=(*desk.records, *records),
    )
    return after, events
