"""How much of an account one owner's workflows use in one engine, and which of it is suspended."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from keyturn_contracts.digest import MODULUS, sum_of
from keyturn_contracts.workflow import NotAllowed

from services.workflow.rules.access import Access, why_suspended
from services.workflow.rules.account import Account


@dataclass(frozen=True, slots=True)
class Usage:
    count: int = 0
    """Tasks on record, suspended ones too, without the vanished."""
    changes: int = 0
    """How often they became other ones: it tells them apart without naming them."""
    reason: NotAllowed | None = None
    """Why they are suspended, as they were judged last; None where they may run, or there are none.
    """

    def changed_by(self, tasks: int) -> "Usage":
        """Return it with so many tasks more; none where some came for as many that went."""
        return replace(self, count=self.count + tasks, changes=self.changes + 1)


NOTHING = Usage()


@dataclass(frozen=True, slots=True)
class Judged:
    """What access makes of tasks."""

    allowed: int = 0
    """How many may run: those that are flagged too."""
    suspended: int = 0
    """A digest of the others, with their reasons; like that of bindings it can be added up."""

    def __add__(self, other: "Judged") -> "Judged":
        return Judged(self.allowed + other.allowed, sum_of((self.suspended, other.suspended)))


def judge(account: Account | None, owner: str, usage: Usage, access: Access) -> Usage:
    """Return it with why its tasks, which are all one owner's, are suspended by now."""
    reason = why_suspended(account, owner, access) if usage.count else None
    return usage if reason == usage.reason else replace(usage, reason=reason)


def sum_up(by_owner: Mapping[str, Usage]) -> Judged:
    """Return what comes of tasks as they were judged last: all of an account, or some owners'."""
    allowed = sum(one.count for one in by_owner.values() if one.reason is None)
    digests = (_digest(owner, one) for owner, one in by_owner.items() if one.reason is not None)
    return Judged(allowed, sum_of(digests))


def _digest(owner: str, usage: Usage) -> int:
    named = json.dumps([owner, usage.reason, usage.changes])
    return int.from_bytes(sha256(named.encode()).digest(), "big") % MODULUS
