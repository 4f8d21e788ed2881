"""How much of an account one owner's workflows use in one engine, and which of it is suspended."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from keyturn_contracts.digest import MODULUS, sum_of

from services.workflow.rules.access import Access, why_suspended
from services.workflow.rules.account import Account


@dataclass(frozen=True, slots=True)
class Usage:
    count: int = 0
    """Tasks on record, suspended ones too, without the vanished."""
    changes: int = 0
    """How often they became other ones: it tells them apart without naming them."""

    def changed_by(self, tasks: int) -> "Usage":
        """Return it with so many tasks more; none where some came for as many that went."""
        return Usage(self.count + tasks, self.changes + 1)


NOTHING = Usage()


@dataclass(frozen=True, slots=True)
class Judged:
    """What access makes of tasks."""

    allowed: int = 0
    """How many may run: those that are flagged too."""
    suspended: int = 0
    """A digest of the others, with their reasons; like that of bindings it can be added up."""


def judge(account: Account | None, owner: str, usage: Usage, access: Access) -> Judged:
    """Judge the tasks of one owner."""
    if not usage.count:
        return Judged()
    reason = why_suspended(account, owner, access)
    if reason is None:
        return Judged(allowed=usage.count)
    named = json.dumps([owner, reason, usage.changes])
    return Judged(suspended=int.from_bytes(sha256(named.encode()).digest(), "big") % MODULUS)


def judge_all(account: Account | None, by_owner: Mapping[str, Usage], access: Access) -> Judged:
    """Judge all that an engine told of an account."""
    judged = [judge(account, owner, usage, access) for owner, usage in by_owner.items()]
    return Judged(sum(one.allowed for one in judged), sum_of(one.suspended for one in judged))
