"""What the rules' tests begin with: an account, an extension or a list on a desk, and who asks."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from keyturn_contracts.access import Level, MemberRole
from keyturn_contracts.actor import Role
from keyturn_contracts.catalog import Party
from keyturn_contracts.installation import InstallationState
from keyturn_contracts.message import Command, Verdict
from keyturn_contracts.rights import InstallationFact

from services.access.rules.enabling import EnablementsDesk
from services.access.rules.grant import Grant
from services.access.rules.members import Member, MemberList
from services.access.rules.registering import MembersDesk
from services.access.rules.sharing import Account, GrantsDesk
from shared.messaging.envelope import Asked
from tests import batches
from tests.access.given import LOUD, NOON

C = TypeVar("C", bound=Command)


def asked(
    command: C, *, by: str = "root", roles: Sequence[Role] = ("administrator",), at: datetime = NOON
) -> Asked[C]:
    return batches.asked(command, by=by, roles=roles, at=at)


def held(level: Level = "user", *, until: datetime | None = None, since: datetime = NOON) -> Grant:
    return Grant(level=level, by="ada", since=since, until=until)


def listing(*administrators: str, members: Sequence[str] = ()) -> MemberList:
    """Return a list; without anybody on it there is none."""
    roles: dict[str, MemberRole] = {
        **dict.fromkeys(administrators, "administrator"),
        **dict.fromkeys(members, "member"),
    }
    return MemberList(has_list=bool(roles), roles=roles)


def members_desk(*administrators: str, members: Sequence[str] = ()) -> MembersDesk:
    people = listing(*administrators, members=members)
    return MembersDesk(
        has_list=people.has_list,
        members={id_: Member(name="", role=role) for id_, role in people.roles.items()},
    )


def account_desk(
    grants: Mapping[str, Grant] | None = None,
    people: MemberList | None = None,
    *,
    is_deleted: bool = False,
    is_created: bool = True,
    is_uninstalling: bool = False,
) -> GrantsDesk:
    """Return an account that root owns, unless told otherwise."""
    return GrantsDesk.of(
        Account(
            extension=LOUD,
            name="Account mail",
            is_deleted=is_deleted,
            is_created=is_created,
            is_uninstalling=is_uninstalling,
        ),
        {"root": held("owner")} if grants is None else grants,
        people or MemberList(),
    )


def extension_desk(
    people: MemberList | None = None,
    *,
    party: Party = "third",
    state: InstallationState = "installed",
) -> EnablementsDesk:
    return EnablementsDesk(
        installation=InstallationFact(party, state), people=people or MemberList()
    )


def said(verdicts: Sequence[Verdict]) -> list[tuple[str, str, str | None]]:
    return [(one.subject, one.verdict, one.reason) for one in verdicts]
