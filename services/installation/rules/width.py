"""Whether a declared domain is one owner's hosts or more, and in which words a review says it."""

from collections.abc import Sequence
from functools import lru_cache

from keyturn_contracts.domains import DomainError
from keyturn_contracts.domains.name import canonical_name
from keyturn_contracts.domains.owners import refuse_ownerless
from keyturn_contracts.domains.patterns import read_pattern
from keyturn_contracts.templates import SLOT

ANY_HOST = "any host that an account's settings name"
SEVERAL_OWNERS = "the hosts of several owners, as its publisher says"

_KEPT = 1024
"""Of how many patterns it is kept whether they are bound to owners."""


def is_any_host(pattern: str, templates: Sequence[str] | None) -> bool:
    """Tell whether settings may make a stranger's host of a slot that is the whole host.

    They may not where all that the pattern matches ends in a name that one owner has, or in one of
    a few such names. `templates` fill the slot where no setting does: what stands behind their last
    name is the end of every host likewise.
    """
    if templates and all(_is_of_an_owner(_end_of(one)) for one in templates):
        return False
    return not _is_bound(pattern)


@lru_cache(maxsize=_KEPT)
def _is_bound(pattern: str) -> bool:
    return all(_is_of_an_owner(end) for end in read_pattern(pattern).ends())


def _end_of(template: str) -> str:
    return SLOT.split(f".{template}")[-1]


def _is_of_an_owner(end: str) -> bool:
    """Tell whether all hosts with this end are one owner's; before its first dot is no whole label.

    It is so of a name below which a wildcard may stand without a reason.
    """
    try:
        refuse_ownerless(canonical_name(end.partition(".")[2]), wildcard=True)
    except DomainError:
        return False
    return True
