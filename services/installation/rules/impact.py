"""What an uninstallation touches, and the revision that the command for it carries."""

from collections.abc import Iterable
from hashlib import sha256

from keyturn_contracts.ids import Hex256, Slug
from keyturn_contracts.message import Part

from services.installation.rules.review import digest_of

NAMED = 100
"""How many users, and how many accounts, are named; all are counted."""


class TouchedAccount(Part):
    """An account that is deleted."""

    account_id: str
    name: str
    creator: str


class TouchedEngine(Part):
    """An engine with tasks that are suspended, as it was counted last."""

    engine_id: str
    name: str
    workflows: int
    tasks: int
    fingerprint: str
    """Another one where they are other workflows or tasks, however many."""


class Impact(Part):
    """All that is shown before an extension is uninstalled, and exactly what its revision covers.

    The revision is SHA-256 over its JSON, written as of a review (`rules/review.py`). What is not
    named is covered by the digests, so that it changes with whatever is touched, as far as the
    news of it has come.
    """

    extension: Slug
    users: tuple[str, ...] = ()
    """Who lose accounts: those who added them, the first 100 by name."""
    user_count: int = 0
    accounts: tuple[TouchedAccount, ...] = ()
    """The first 100 by id."""
    account_count: int = 0
    accounts_digest: Hex256 | None = None
    """SHA-256 over a line for each account, in the order of the bytes of ids: id, name and creator
    as PostgreSQL writes a JSON array of them, ended by a line feed. None: no accounts. What else
    becomes of an account, such as a rotation, leaves it as it is: the same accounts are deleted."""
    engines: tuple[TouchedEngine, ...] = ()
    """Those with workflows that use it, by id."""
    workflow_count: int = 0
    task_count: int = 0
    added_domains: int = 0
    """How many domains of the brand's own are given up."""
    added_digest: Hex256 | None = None
    """SHA-256 over their rules, in the order of their bytes, each ended by a line feed."""


def revision_of(impact: Impact) -> str:
    return digest_of(impact)


def with_added(impact: Impact, rules: Iterable[str]) -> Impact:
    """Return it with the domains of the brand's own that are given up."""
    lines = sorted(f"{one}\n".encode() for one in rules)
    digest = sha256(b"".join(lines)).hexdigest() if lines else None
    return impact.model_copy(update={"added_domains": len(lines), "added_digest": digest})
