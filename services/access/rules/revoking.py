"""Taking access away: from members by name, or what was given to everyone."""

from keyturn_contracts.access import EVERYONE, RevokeAccess, RevokeAccessReason
from keyturn_contracts.message import Verdict

from services.access.rules import verdicts
from services.access.rules.grant import Grant, ended
from services.access.rules.sharing import GrantsDesk, apply, refuse_others
from shared.decisions import Decision, Refused, Unchanged
from shared.messaging.envelope import Asked


def decide_revocation(
    desk: GrantsDesk | None, asked: Asked[RevokeAccess]
) -> Decision[GrantsDesk, RevokeAccessReason]:
    """End what they have, of several owners in the order in which they are named: the last stays.

    Who is no member any more can be named too.
    """
    desk = desk or GrantsDesk()
    if refused := refuse_others(desk, asked):
        return refused
    if asked.command.all:
        return _revoke_everyones(desk, asked)
    owners = set(desk.owners(asked.at))
    changed: dict[str, Grant] = {}
    left: list[Verdict] = []
    for member in dict.fromkeys(asked.command.members):
        before = desk.held(member, asked.at)
        if before is None:
            left.append(verdicts.unchanged(member, f"{member} has no access of their own."))
        elif owners == {member}:
            left.append(_refuse_last(member))
        else:
            owners.discard(member)
            changed[member] = _revoked(before, asked)
    if changed:
        return apply(desk, changed, asked, left)
    if verdicts.are_all_refused(left):
        return Refused("members_refused", verdicts.say_why(left))
    return Unchanged("None of them has anything that could be taken away.", verdicts=left)


def _revoke_everyones(
    desk: GrantsDesk, asked: Asked[RevokeAccess]
) -> Decision[GrantsDesk, RevokeAccessReason]:
    before = desk.held(EVERYONE, asked.at)
    if before is None:
        return Unchanged("Access was not given to everyone.")
    return apply(desk, {EVERYONE: _revoked(before, asked)}, asked)


def _revoked(grant: Grant, asked: Asked[RevokeAccess]) -> Grant:
    return ended(grant, "revoked", at=asked.at, by=asked.actor.subject)


def _refuse_last(member: str) -> Verdict:
    return verdicts.refused(
        member,
        "last_owner",
        f"{member} is the last owner: make another administrator an owner first, or delete the "
        "account.",
    )
