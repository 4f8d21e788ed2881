"""Whether a declared domain is one owner's hosts or more, and in which words a review says it."""

from collections.abc import Sequence
from functools import lru_cache

from keyturn_contracts.domains.patterns import read_pattern
from keyturn_contracts.templates import SLOT

ANY_HOST = "any host that an account's settings name"
SEVERAL_OWNERS = "the hosts of several owners, as its publisher says"

_STRANGERS = (
    "mail.unrelated-host.com",
    "unrelated.org",
    "www.unrelated7.net",
    "api.eu.unrelated.io",
    "unrelated.co.uk",
    "smtp.unrelated.de",
    "UNRELATED.COM",
)
"""Hosts of owners who have nothing to do with any extension, below suffixes of all kinds."""
_KEPT = 1024
"""Of how many patterns it is kept which strangers they let through."""


def is_any_host(pattern: str, templates: Sequence[str] | None) -> bool:
    """Tell whether settings may make a stranger's host of a slot that is the whole host.

    `templates` fill it where no setting does: what stands behind their last name is part of every
    host. It is tried with a handful of hosts: a pattern that lets one of them through is not bound
    to an owner. One that lets through none may still be wider than it looks; a review shows it.
    """
    ends = [""] if templates is None else [_end_of(one) for one in templates]
    return any(host.lower().endswith(end) for host in _let_through(pattern) for end in ends)


def _end_of(template: str) -> str:
    return SLOT.split(template)[-1].lower()


@lru_cache(maxsize=_KEPT)
def _let_through(pattern: str) -> tuple[str, ...]:
    read = read_pattern(pattern)
    return tuple(one for one in _STRANGERS if read.matches_slot(one))
