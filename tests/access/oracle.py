"""The rules of access a second time, as plainly as they are written: what all the rest is held to.

One brand, in sets and dictionaries, each thing done at once and whole. It knows no events, locks,
jobs, caches or statements, and shares no line with what it judges.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

EVERYONE = "*"
REFUSED = "refused"
Answer = tuple[bool, str]
"""Whether it is allowed, and by which way; or what is missing first."""


@dataclass
class Oracle:
    """`at`, everywhere, is the moment of asking or of what is done."""

    vouched: frozenset[str]
    """Whom their issuer calls an administrator; everybody else is a member to it."""
    roles: dict[str, str] | None = None
    """The list of members; None until somebody is registered."""
    left: set[str] = field(default_factory=set[str])
    """Who was taken off it, and is not on it again."""
    is_gathered: bool = False
    """The list has had its week: whoever was not on it by then has lost what they had before it."""
    accounts: dict[str, str] = field(default_factory=dict[str, str])
    """Those that are not deleted, with their extensions."""
    deleted: set[str] = field(default_factory=set[str])
    installed: dict[str, str] = field(default_factory=dict[str, str])
    """For each extension that is installed, `first` or `third` party."""
    suspended: set[str] = field(default_factory=set[str])
    """Those of them that the licence does not cover now."""
    grants: dict[tuple[str, str], tuple[str, datetime | None]] = field(
        default_factory=dict[tuple[str, str], tuple[str, datetime | None]]
    )
    enabled: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    # Questions.

    def may(self, member: str, action: str, account: str, at: datetime) -> Answer:
        if not self.is_member(member):
            return False, "not_a_member"
        if account not in self.accounts:
            return False, "account_deleted" if account in self.deleted else "account_unknown"
        if action != "use":
            return (True, "owner") if self.owns(member, account, at) else (False, "not_an_owner")
        can, why = self.may_use(member, self.accounts[account])
        if not can:
            return False, why
        for whose in (member, EVERYONE):
            level = self.level(whose, account, at)
            if level:
                return True, "everyone" if whose == EVERYONE else level
        return False, "no_access"

    def may_use(self, member: str, extension: str) -> Answer:
        if not self.is_member(member):
            return False, "not_a_member"
        if extension not in self.installed or extension in self.suspended:
            return False, "not_licensed" if extension in self.suspended else "not_installed"
        if self.installed[extension] == "first":
            return True, "licence"
        for whose, way in ((member, "enabled"), (EVERYONE, "enabled_for_everyone")):
            if (extension, whose) in self.enabled:
                return True, way
        return False, "not_enabled"

    def is_member(self, member: str) -> bool:
        return self.roles is None or member in self.roles

    def level(self, member: str, account: str, at: datetime) -> str | None:
        level, until = self.grants.get((account, member), (None, None))
        return None if until is not None and until <= at else level

    def owns(self, member: str, account: str, at: datetime) -> bool:
        return self.is_member(member) and self.level(member, account, at) == "owner"

    def owners(self, account: str, at: datetime) -> set[str]:
        return {one for _, one in list(self.grants) if self.owns(one, account, at)}

    # What people do; each says whether it was refused as a whole.

    def register(self, by: str, named: dict[str, str]) -> str | None:
        after = {**(self.roles or {}), **named}
        if not self._administers(by) or "administrator" not in after.values():
            return REFUSED
        self.roles = after
        self.left -= set(named)
        return None

    def remove(self, by: str, members: list[str]) -> str | None:
        if not self._administers(by):
            return REFUSED
        going = set(members) & set(self.roles or {})
        if not going:
            return None
        after = {one: role for one, role in (self.roles or {}).items() if one not in going}
        if "administrator" not in after.values():
            return REFUSED
        self.roles = after
        self.left |= going
        self._forget(lambda account, member: member in going)
        self.enabled = {one for one in self.enabled if one[1] not in going}
        return None

    def grant(
        self,
        by: str,
        account: str,
        members: list[str],
        level: str,
        until: datetime | None,
        *,
        at: datetime,
    ) -> str | None:
        if account not in self.accounts or not self._shares(by, account, at):
            return REFUSED
        can = [
            one
            for one in members
            if one == EVERYONE
            or (
                self.is_member(one)
                and (level == "user" or self.roles is None or self.roles[one] == "administrator")
            )
        ]
        for one in can:
            if not (level == "user" and self.level(one, account, at) == "owner"):
                self.grants[account, one] = level, until
        return None if can else REFUSED

    def revoke(self, by: str, account: str, members: list[str], at: datetime) -> str | None:
        if account not in self.accounts or not self._shares(by, account, at):
            return REFUSED
        kept = 0
        for one in members:
            if self.owners(account, at) == {one}:
                kept += 1
            else:
                self.grants.pop((account, one), None)
        return REFUSED if kept == len(members) else None

    def enable(self, by: str, extension: str, members: list[str]) -> str | None:
        if not self._administers(by):
            return REFUSED
        can = [one for one in members if one == EVERYONE or self.is_member(one)]
        self.enabled |= {(extension, one) for one in can}
        return None if can else REFUSED

    def disable(self, by: str, extension: str, members: list[str]) -> str | None:
        if not self._administers(by):
            return REFUSED
        self.enabled -= {(extension, one) for one in members}
        return None

    # What happens to a brand.

    def add(self, account: str, extension: str, creator: str) -> None:
        if account in self.accounts or account in self.deleted:
            return
        self.accounts[account] = extension
        if self.is_member(creator) or not (self.is_gathered or creator in self.left):
            self.grants[account, creator] = "owner", None

    def delete(self, account: str) -> None:
        if self.accounts.pop(account, None):
            self.deleted.add(account)
            self._forget(lambda of, member: of == account)

    def uninstall(self, extension: str) -> None:
        for account in [one for one, of in self.accounts.items() if of == extension]:
            self.delete(account)
        self.enabled = {one for one in self.enabled if one[0] != extension}
        self.installed.pop(extension, None)

    def let_a_week_pass(self) -> None:
        if self.roles is None or self.is_gathered:
            return
        self.is_gathered = True
        self._forget(lambda account, member: member != EVERYONE and not self.is_member(member))
        self.enabled = {one for one in self.enabled if one[1] == EVERYONE or self.is_member(one[1])}

    def settle(self, at: datetime) -> None:
        """Time has come to `at`: what has run out is gone, and what nobody owns is handed over.

        Who was never on the list keeps what they own, for a week: it counts once they are on it.
        """
        self._forget(lambda account, member: self.level(member, account, at) is None)
        heads = [one for one, role in (self.roles or {}).items() if role == "administrator"]
        for account in self.accounts:
            levels = [level for (of, _), (level, _) in self.grants.items() if of == account]
            if "owner" not in levels:
                self.grants.update({(account, one): ("owner", None) for one in heads})

    def _administers(self, by: str) -> bool:
        return by in self.vouched and (self.roles is None or self.roles.get(by) == "administrator")

    def _shares(self, by: str, account: str, at: datetime) -> bool:
        if self.owners(account, at):
            return self.owns(by, account, at)
        return self._administers(by)

    def _forget(self, which: Callable[[str, str], bool]) -> None:
        self.grants = {key: one for key, one in self.grants.items() if not which(*key)}
