"""Who may do what with an account or an extension, and why: one pure function.

The access service answers by it, and so does every copy of what is announced: the vault's, the
workflow service's, and the one in an engine's own process.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from keyturn_contracts.access import EVERYONE, Level, MemberRole
from keyturn_contracts.catalog import Party
from keyturn_contracts.installation import InstallationState

OwnersAction = Literal["edit", "verify", "roll_back", "revoke", "delete", "share"]
"""What only an owner may do with an account. `share`: decide who has access."""
Action = Literal["use", OwnersAction]
"""`use`: of an account, in a workflow; of an extension, at all."""
OWNERS_ACTIONS: frozenset[str] = frozenset(get_args(OwnersAction))

Code = Literal[
    "allowed",
    "not_a_member",
    "account_unknown",
    "account_deleted",
    "not_licensed",
    "not_installed",
    "not_enabled",
    "not_an_owner",
    "no_access",
    "copy_too_old",
]
"""The first that is missing, in this order, or `allowed`. `copy_too_old`: who was asked has not
heard the news of late, so nothing is allowed."""
Way = Literal["owner", "user", "everyone", "enabled", "enabled_for_everyone", "licence"]
"""What lets them: a grant of one's own or everyone's; of an extension its enablement, or that it
comes with the licence."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One that has not been ended. From `until` on it is as if it were not there."""

    level: Level = "user"
    until: datetime | None = None

    def holds_at(self, moment: datetime) -> bool:
        return self.until is None or moment < self.until


@dataclass(frozen=True, slots=True)
class AccountFact:
    extension: str
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class InstallationFact:
    """What was last said of one extension of the brand; a licence gives a first party's."""

    party: Party
    state: InstallationState


@dataclass(slots=True)
class Facts:
    """What is known of one brand, or as much of it as a question needs. Absent is: there is none.

    `members` maps to a role those who are registered. `grants` are by account, then by member or
    `*`; `enablements` by extension: members or `*`.
    """

    has_list: bool = False
    """Whether somebody was ever registered: from then on only the list's members have rights."""
    members: dict[str, MemberRole] = field(default_factory=dict[str, MemberRole])
    accounts: dict[str, AccountFact] = field(default_factory=dict[str, AccountFact])
    installations: dict[str, InstallationFact] = field(default_factory=dict[str, InstallationFact])
    grants: dict[str, dict[str, Grant]] = field(default_factory=dict[str, dict[str, Grant]])
    enablements: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def is_member(self, member: str) -> bool:
        return not self.has_list or member in self.members


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, and the fact that decides it; `keyturn_contracts.reasons` says it in words."""

    allowed: bool
    code: Code
    way: Way | None = None
    """Of what is allowed: by which of several ways, the strongest."""


_MISSING: Mapping[Code, Decision] = {
    code: Decision(allowed=False, code=code) for code in get_args(Code) if code != "allowed"
}
_ALLOWED: Mapping[Way, Decision] = {
    way: Decision(allowed=True, code="allowed", way=way) for way in get_args(Way)
}
_NO_GRANTS: Mapping[str, Grant] = {}
_NOBODY: frozenset[str] = frozenset()


def decide(facts: Facts, member: str, action: Action, account_id: str, at: datetime) -> Decision:
    """Say whether this member may do that with the account at this moment.

    Who owns an account keeps it whatever becomes of its extension: what cannot be used can still be
    given up. Using it takes all of it: the licence, the installation, the enablement, a grant.
    """
    if facts.has_list and member not in facts.members:
        return _MISSING["not_a_member"]
    account = facts.accounts.get(account_id)
    if account is None or account.is_deleted:
        return _MISSING["account_unknown" if account is None else "account_deleted"]
    if action == "use":
        extension = _decide_extension(facts, member, account.extension)
        if not extension.allowed:
            return extension
    return decide_by_grants(facts, member, action, account_id, at)


def decide_by_grants(
    facts: Facts, member: str, action: Action, account_id: str, at: datetime
) -> Decision:
    """Say what the account's grants alone allow, where the rest was asked already."""
    grants = facts.grants.get(account_id, _NO_GRANTS)
    own = grants.get(member)
    if own is not None and own.holds_at(at):
        if action == "use" or own.level == "owner":
            return _ALLOWED[own.level]
    elif action == "use":
        everyones = grants.get(EVERYONE)
        if everyones is not None and everyones.holds_at(at):
            return _ALLOWED["everyone"]
    return _MISSING["no_access" if action == "use" else "not_an_owner"]


def decide_extension(facts: Facts, member: str, extension: str) -> Decision:
    """Say whether this member may use the extension: the first half of using an account of it."""
    if not facts.is_member(member):
        return _MISSING["not_a_member"]
    return _decide_extension(facts, member, extension)


def why_barred(
    installation: InstallationFact | None,
) -> Literal["not_licensed", "not_installed"] | None:
    """Return why nobody of the brand may use the extension, or None where members may.

    An installation says both: a licence gives a first party's, and what it covers no more is
    suspended. Where nothing was ever said of one, it is `not_installed`.
    """
    if installation is None:
        return "not_installed"
    if installation.state == "installed":
        return None
    return "not_licensed" if installation.state == "suspended" else "not_installed"


def _decide_extension(facts: Facts, member: str, extension: str) -> Decision:
    installation = facts.installations.get(extension)
    barred = why_barred(installation)
    if installation is None or barred is not None:
        return _MISSING[barred or "not_installed"]
    if installation.party == "first":
        return _ALLOWED["licence"]
    enabled = facts.enablements.get(extension, _NOBODY)
    if member in enabled:
        return _ALLOWED["enabled"]
    return _ALLOWED["enabled_for_everyone"] if EVERYONE in enabled else _MISSING["not_enabled"]


def owners(facts: Facts, account_id: str, at: datetime) -> frozenset[str]:
    """Return who owns an account now: members who hold an owner's grant."""
    return frozenset(
        member
        for member, grant in facts.grants.get(account_id, _NO_GRANTS).items()
        if grant.level == "owner" and grant.holds_at(at) and facts.is_member(member)
    )
