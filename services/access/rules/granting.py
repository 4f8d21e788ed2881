"""Giving access: to members by name, as users or owners, or to everyone."""

from datetime import datetime
from typing import Literal

from keyturn_contracts.access import (
    EVERYONE,
    GrantAccess,
    GrantAccessReason,
    GrantAccessToAll,
    GrantAccessToAllReason,
)
from keyturn_contracts.message import Verdict

from services.access.rules import verdicts
from services.access.rules.grant import Grant
from services.access.rules.sharing import GrantsDesk, apply, refuse_others, refuse_uninstalling
from shared.decisions import Decision, Refused, Unchanged
from shared.messaging.envelope import Asked


def decide_grant(
    desk: GrantsDesk | None, asked: Asked[GrantAccess]
) -> Decision[GrantsDesk, GrantAccessReason]:
    """Give each of the members what is named, unless they have it or may not have it."""
    desk, command = desk or GrantsDesk(), asked.command
    if refused := _refuse_past(command.until, asked.at):
        return refused
    if refused := refuse_others(desk, asked) or refuse_uninstalling(desk):
        return refused
    changed: dict[str, Grant] = {}
    left: list[Verdict] = []
    for member in dict.fromkeys(command.members):
        if verdict := _judge(desk, member, asked):
            left.append(verdict)
        else:
            changed[member] = _given(asked)
    if changed:
        return apply(desk, changed, asked, left)
    if verdicts.are_all_refused(left):
        return Refused("members_refused", verdicts.say_why(left))
    return Unchanged("Nobody was given anything that they had not.", verdicts=left)


def decide_grant_to_all(
    desk: GrantsDesk | None, asked: Asked[GrantAccessToAll]
) -> Decision[GrantsDesk, GrantAccessToAllReason]:
    """Give everyone in the brand user access, whoever joins later too."""
    desk, command = desk or GrantsDesk(), asked.command
    if command.level == "owner":
        return Refused(
            "owner_not_for_all",
            "Everyone can be given user access, and nobody ownership that way: name the "
            "administrators who should become owners.",
        )
    if refused := _refuse_past(command.until, asked.at):
        return refused
    if refused := refuse_others(desk, asked) or refuse_uninstalling(desk):
        return refused
    before = desk.held(EVERYONE, asked.at)
    if before is not None and before.until == command.until:
        return Unchanged("Everyone has access already.")
    return apply(desk, {EVERYONE: _given(asked)}, asked)


def _refuse_past(
    until: datetime | None, at: datetime
) -> Refused[GrantsDesk, Literal["until_passed"]] | None:
    if until is None or until > at:
        return None
    return Refused("until_passed", "The moment until which access is given has passed already.")


def _judge(desk: GrantsDesk, member: str, asked: Asked[GrantAccess]) -> Verdict | None:
    """Return why they are not given it, or None."""
    command = asked.command
    if not desk.people.is_member(member):
        return verdicts.refuse_unknown(member)
    if command.level == "owner" and not desk.people.may_own(member):
        return verdicts.refused(
            member,
            "not_an_administrator",
            f"Only an administrator of the brand can become an owner, and {member} is none.",
        )
    before = desk.held(member, asked.at)
    if before is None:
        return None
    if before.level == "owner" and command.level == "user":
        return verdicts.unchanged(member, f"{member} is an owner, and stays one.")
    if (before.level, before.until) == (command.level, command.until):
        return verdicts.unchanged(member, f"{member} has exactly this access already.")
    return None


def _given(asked: Asked[GrantAccess] | Asked[GrantAccessToAll]) -> Grant:
    command = asked.command
    return Grant(level=command.level, by=asked.actor.subject, since=asked.at, until=command.until)
