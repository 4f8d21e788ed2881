"""What follows for an installation from what other services announced: looked at as a whole.

Each pass says how the installation ought to be by now, whatever has happened since the last one; so
it does not matter which news came, in which order, or how often.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from keyturn_contracts.installation import (
    ChangeAccepted,
    ChangeProposed,
    DomainsChanged,
    ExtensionInstalled,
    ExtensionSuspended,
    InstallationChanged,
    ProposedChange,
)

from services.installation.rules.difference import compare, narrowed
from services.installation.rules.installation import (
    Installation,
    event_about,
    told,
    with_hosts,
    with_reach,
)
from services.installation.rules.policy import Policy
from services.installation.rules.reach import Settings
from services.installation.rules.review import Offer
from services.installation.rules.uninstalling import Clearance, follow_uninstallation
from shared.decisions import Applied, Unchanged

Followed = Applied[Installation] | Unchanged[Installation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known by now of one extension of one brand."""

    offer: Offer | None = None
    is_licensed: bool = False
    accounts: tuple[Settings, ...] = ()
    """Of accounts that are not deleted."""
    clearances: dict[str, Clearance] = field(default_factory=dict[str, Clearance])


def follow(before: Installation | None, facts: Facts, now: datetime, policy: Policy) -> Followed:
    """Return the installation as it ought to be, with the event that says so if anything is new."""
    if before is None or before.state == "uninstalled":
        return _begin(before, facts, policy)
    if before.state == "uninstalling":
        after, kind = follow_uninstallation(before, facts.clearances, now)
        return _conclude(before, with_reach(after), kind)
    after = replace(before, state="installed" if facts.is_licensed else "suspended")
    if facts.offer is not None:
        after = _follow_offer(after, facts.offer)
    after = with_reach(with_hosts(after, facts.accounts, policy))
    return _conclude(before, after, _kind_of(before, after))


def _begin(before: Installation | None, facts: Facts, policy: Policy) -> Followed:
    """Install a first-party extension as soon as it is licensed, unless it was retired before."""
    offer = facts.offer
    is_due = offer is not None and offer.is_first_party and not offer.is_retired
    if offer is None or not is_due or not facts.is_licensed:
        return Unchanged("Nobody installed it.")
    fresh = Installation(
        extension=offer.review.extension,
        state="installed",
        is_implicit=True,
        in_force=offer.review,
        domains_revision=before.domains_revision if before is not None else 0,
    )
    after = with_reach(with_hosts(fresh, facts.accounts, policy))
    return Applied(after, (event_about(ExtensionInstalled, after),))


def _follow_offer(installation: Installation, offer: Offer) -> Installation:
    """Let what only narrows hold at once, and propose what widens a third party's.

    Where a version does both, what it no longer asks for ends at once, and of what it asks for
    beyond that nothing holds before it is accepted.
    """
    if offer.is_first_party:
        return replace(installation, is_implicit=True, in_force=offer.review, proposed=None)
    in_force = narrowed(installation.in_force, offer.review)
    widens = compare(in_force, offer.review).widens
    if not widens:
        return replace(installation, in_force=offer.review, proposed=None)
    proposed = ProposedChange(version=offer.review.version, digest=offer.digest, changes=widens)
    return replace(installation, in_force=in_force, proposed=proposed)


def _kind_of(before: Installation, after: Installation) -> type[InstallationChanged]:
    """Return the event that says the most of what is different; its state says all of it."""
    if after.state != before.state:
        return ExtensionInstalled if after.state == "installed" else ExtensionSuspended
    if after.proposed is not None and after.proposed != before.proposed:
        return ChangeProposed
    if after.in_force != before.in_force or after.proposed != before.proposed:
        return ChangeAccepted
    return DomainsChanged


def _conclude(
    before: Installation, after: Installation, kind: type[InstallationChanged]
) -> Followed:
    if told(after) != told(before):
        return Applied(after, (event_about(kind, after),))
    return Unchanged("Nothing is new.", state=after if after != before else None)
