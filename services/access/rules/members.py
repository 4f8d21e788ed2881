"""Who is on a brand's list of members, and what it leaves of what an issuer vouches for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from keyturn_contracts.access import MemberRole, MemberState
from keyturn_contracts.actor import BRAND_ROLES, Actor

GATHERS = timedelta(days=7)
"""How long a list may take to come together from its first command on: until then who was never on
it keeps what they were given before, which counts from their registration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody who is, or was, on the list."""

    name: str
    role: MemberRole
    state: MemberState = "registered"
    is_to_end: bool = False
    """They were removed, and what they were given is not ended yet."""

    @property
    def is_registered(self) -> bool:
        return self.state == "registered"

    @property
    def is_administrator(self) -> bool:
        return self.is_registered and self.role == "administrator"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberList:
    """As much of a brand's list as somebody's rights depend on."""

    has_list: bool = False
    """Whether anybody was ever registered."""
    roles: Mapping[str, MemberRole] = field(default_factory=dict[str, MemberRole])
    """Of those who are registered."""

    def is_member(self, member: str) -> bool:
        return not self.has_list or member in self.roles

    def may_own(self, member: str) -> bool:
        """Tell whether they can become an owner: administrators can.

        Without a list nobody but their issuer knows who is one, and it is asked about who acts
        alone: then anybody can.
        """
        return not self.has_list or self.roles.get(member) == "administrator"


def is_of_the_brand(actor: Actor) -> bool:
    """Tell whether an issuer vouches for them as somebody of the brand: no engine, no operator."""
    return not actor.roles.isdisjoint(BRAND_ROLES)


def is_administrator(actor: Actor, members: MemberList) -> bool:
    """Tell whether they are one of the brand: for their issuer, and for the list if there is one.

    An operator of the platform has no rights in a brand by that.
    """
    if "administrator" not in actor.roles:
        return False
    return not members.has_list or members.roles.get(actor.subject) == "administrator"
