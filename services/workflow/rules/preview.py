"""Who would lose an account if something that was given were taken away."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from services.workflow.rules.access import Access, may_use
from services.workflow.rules.account import Account


@dataclass(frozen=True, slots=True)
class Losing:
    access: Access
    """As it would be."""
    losers: frozenset[str]
    """Who may use the account now, and could not then."""


def without(
    account: Account | None, access: Access, taken: Collection[str], owners: Collection[str]
) -> Losing:
    """Say which of these owners of workflows would lose the account without the grants of `taken`.

    `taken` are members, or `*` for what was given to everyone at once.
    """
    facts = access.facts
    grants = {
        account_id: {one: grant for one, grant in given.items() if one not in taken}
        for account_id, given in facts.grants.items()
    }
    then = replace(access, facts=replace(facts, grants=grants))
    losers = {
        one
        for one in owners
        if may_use(account, one, access) is None and may_use(account, one, then) is not None
    }
    return Losing(then, frozenset(losers))
