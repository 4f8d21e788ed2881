"""An installation: what a brand has of an extension, and what everybody is told of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from keyturn_contracts.domains import SUFFIX_LIST_VERSION
from keyturn_contracts.installation import (
    AccountHost,
    AddedDomain,
    Consent,
    InstallationChanged,
    InstallationState,
    ProposedChange,
    Uninstallation,
)

from services.installation.rules.impact import Impact
from services.installation.rules.policy import Policy
from services.installation.rules.reach import Settings, effective, hosts_of
from services.installation.rules.review import Offer, Review


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One extension of one brand."""

    extension: str
    state: InstallationState
    is_implicit: bool
    in_force: Review
    """What was accepted, without what a newer version no longer asks for."""
    added: tuple[AddedDomain, ...] = ()
    hosts: tuple[AccountHost, ...] = ()
    hosts_left_out: int = 0
    domains: tuple[str, ...] = ()
    """The effective list, as it was announced; `with_reach` brings it up to date."""
    domains_revision: int = 0
    """Of the effective list; 0 before there was one."""
    consent: Consent | None = None
    proposed: ProposedChange | None = None
    uninstallation: Uninstallation | None = None

    @property
    def is_alive(self) -> bool:
        """Whether there is something to administer: it is there, or only its licence is not."""
        return self.state in {"installed", "suspended"}

    @property
    def permissions(self) -> tuple[str, ...]:
        """Return the kinds of data that it may read now: none unless it is installed."""
        if self.state != "installed":
            return ()
        return tuple(dict.fromkeys(one.data for one in self.in_force.permissions))

    @property
    def effective_domains(self) -> tuple[str, ...]:
        """Return exactly what may be reached; nothing unless it is installed.

        What the brand added counts only while the extension lets brands add domains.
        """
        if self.state != "installed":
            return ()
        added = [one.rule for one in self.added] if self.in_force.may_add_domains else []
        return effective(self.in_force.domains, added, self.hosts)


def with_reach(installation: Installation) -> Installation:
    """Return it with its effective list as it is now; the revision rises where it is another."""
    domains = installation.effective_domains
    if domains == installation.domains and installation.domains_revision:
        return installation
    return replace(
        installation, domains=domains, domains_revision=installation.domains_revision + 1
    )


def with_hosts(
    installation: Installation, accounts: tuple[Settings, ...], policy: Policy
) -> Installation:
    """Return it with the hosts that these accounts give to what is in force."""
    found = hosts_of(installation.in_force.domains, accounts, installation.hosts, policy.private)
    return replace(installation, hosts=found.kept, hosts_left_out=found.left_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A consent, with all that was accepted: kept for ever."""

    consent: Consent
    issuer: str
    review: Review


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainChange:
    """A domain that the brand added or removed: kept with who, why, and what it led to."""

    rule: str
    what: Literal["added", "removed"]
    issuer: str
    by: str
    reason: str
    at: datetime
    revision: int
    """Of the effective list after it."""
    suffix_list: str
    """By what the domain was judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a rule has before it: the installation, and what else its commands are judged by."""

    installation: Installation | None
    loaded: Installation | None = field(default=None, compare=False)
    """As it was when it was locked: what differs is to be saved."""
    offer: Offer | None = None
    """What the catalog says of the extension; None while its news has not come."""
    is_licensed: bool = False
    """Whether the brand's licence, as far as its news has come, covers the extension."""
    reviews: Mapping[str, Review] = field(default_factory=dict[str, Review])
    """Earlier reviews of the extension that commands name, by digest."""
    accounts: tuple[Settings, ...] = ()
    """Loaded only where something is to be accepted."""
    impact: Impact | None = None
    """Loaded only where something is to be uninstalled."""
    policy: Policy = field(default_factory=Policy)
    accepted: tuple[Accepted, ...] = ()
    changes: tuple[DomainChange, ...] = ()
    """What is to be put on record, in the order in which it happened."""


def told(installation: Installation) -> dict[str, Any]:
    """Return what every event about an installation says: all of its state."""
    in_force = installation.in_force
    return {
        "extension": installation.extension,
        "state": installation.state,
        "implicit": installation.is_implicit,
        "party": in_force.party,
        "preview": in_force.is_preview,
        "version": in_force.version,
        "may_add_domains": in_force.may_add_domains,
        "declared": tuple(one.declared for one in in_force.domains if one.blocked_because is None),
        "added": installation.added,
        "hosts": installation.hosts,
        "hosts_left_out": installation.hosts_left_out,
        "domains": installation.domains,
        "domains_revision": installation.domains_revision,
        "permissions": installation.permissions,
        "consent": installation.consent,
        "proposed": installation.proposed,
        "uninstallation": installation.uninstallation,
    }


def event_about(kind: type[InstallationChanged], installation: Installation) -> InstallationChanged:
    return kind.model_validate(told(installation) | {"suffix_list": SUFFIX_LIST_VERSION})
