"""What an uninstallation touches, and the revision that the command for it carries."""

from keyturn_contracts.ids import Slug
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


class Impact(Part):
    """All that is shown before an extension is uninstalled, and exactly what its revision covers.

    The revision is SHA-256 over its JSON, written as of a review (`rules/review.py`).
    """

    extension: Slug
    users: tuple[str, ...] = ()
    """Who lose accounts: those who added them, the first 100 by name."""
    user_count: int = 0
    accounts: tuple[TouchedAccount, ...] = ()
    """The first 100 by id."""
    account_count: int = 0
    engines: tuple[TouchedEngine, ...] = ()
    """Those with workflows that use it, by id."""
    workflow_count: int = 0
    task_count: int = 0
    added_domains: int = 0
    """How many domains of the brand's own are given up."""


def revision_of(impact: Impact) -> str:
    return digest_of(impact)
