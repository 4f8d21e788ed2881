"""What the answers about installations look like."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from keyturn_contracts.catalog import BrandData, Party
from keyturn_contracts.installation import (
    ALL_BLOCKED,
    AccountHost,
    AddedDomain,
    Consent,
    DeclaredDomain,
    InstallationState,
    ProposedChange,
    Uninstallation,
)
from pydantic import BaseModel

from services.installation.rules.domain import shown
from services.installation.rules.installation import Installation, told
from services.installation.rules.review import Review

Needed = Literal["install", "accept_change", "nothing"]


class InstallationBody(BaseModel):
    """One extension of the brand, as a list shows it."""

    extension: str
    name: str
    by: str
    party: Party
    preview: bool
    state: InstallationState
    implicit: bool
    version: int
    """Of the manifest whose domains and permissions are in force."""
    may_add_domains: bool
    domain_count: int
    """Of the effective list."""
    note: str | None = None
    """What people read where no domain may be reached."""
    proposed: ProposedChange | None = None
    uninstallation: Uninstallation | None = None


class InstallationsBody(BaseModel):
    """One page. `next` is what to ask `after` for the page behind it; absent on the last."""

    items: list[InstallationBody]
    next: str | None = None


class ConsentBody(BaseModel):
    """Who accepted what, and when."""

    id: str
    by: str
    at: datetime
    digest: str
    review: Review
    """All that was accepted."""
    suffix_list: str | None = None
    """By what its domains were judged; absent where that was not recorded yet."""


class WholeInstallationBody(InstallationBody):
    """All the state of an installation, as its events tell it, and every consent there was."""

    declared: Sequence[DeclaredDomain]
    added: list[AddedDomain]
    hosts: list[AccountHost]
    hosts_left_out: int
    domains: list[str]
    domains_revision: int
    permissions: list[BrandData]
    consent: Consent | None = None
    consents: list[ConsentBody]
    """The newest first; also those from before it was uninstalled."""


class DifferenceBody(BaseModel):
    """What the newest version is beside what is in force, in sentences."""

    widens: list[str]
    narrows: list[str]


class ReviewBody(BaseModel):
    """What would be accepted now. `digest` is of exactly `review`, and what the command carries."""

    digest: str
    review: Review
    note: str | None = None
    """What people read where it declares no domain."""
    needed: Needed
    """Which command there is for it."""
    retired: bool
    state: InstallationState | None = None
    """Of the installation, where there is or was one."""
    version: int | None = None
    """What is in force, where something is."""
    changes: DifferenceBody | None = None
    """Where something is in force."""
    suffix_list_version: str
    """Of the list by which domains are judged."""


class DomainBody(BaseModel):
    """A rule of the list: where it is from, and whether it is in force."""

    rule: str
    shown: str
    origin: Literal["declared", "added", "account"]
    in_force: bool
    blocked_because: str | None = None
    purpose: str | None = None
    """Of a declared one."""
    slots: dict[str, str] | None = None
    """Of a declared one that accounts' settings fill, the pattern of each value."""
    derived: dict[str, tuple[str, ...]] | None = None
    """For each slot that no setting fills, the templates whose first complete one does."""
    defaults: dict[str, str] | None = None
    """What fills it where an account's setting is left out."""
    wide: str | None = None
    """How far a declared one reaches, where that is more than one owner's hosts."""
    wide_because: str | None = None
    by: str | None = None
    """Who added it."""
    reason: str | None = None
    at: datetime | None = None
    accounts: int | None = None
    """How many accounts give it."""


class DomainChangeBody(BaseModel):
    """A domain that the brand added or removed."""

    rule: str
    what: Literal["added", "removed"]
    at: datetime
    by: str
    reason: str
    revision: int
    suffix_list: str | None = None
    """By what it was judged; absent where that was not recorded yet."""


class DomainsBody(BaseModel):
    """What an extension may reach. `domains` is exactly that; `list` says where each is from."""

    extension: str
    state: InstallationState
    domains: list[str]
    revision: int
    note: str | None = None
    """What people read where nothing may be reached."""
    may_add_domains: bool
    suffix_list_version: str
    list: Sequence[DomainBody]
    hosts_left_out: int
    changes: Sequence[DomainChangeBody]
    """The last 100 by the brand, the newest first."""


def body_of(one: Installation) -> InstallationBody:
    return InstallationBody(**_facts(one))


def whole_body_of(one: Installation, consents: Sequence[Any]) -> WholeInstallationBody:
    facts = told(one)
    return WholeInstallationBody(
        **_facts(one),
        **{
            name: facts[name]
            for name in (
                "declared",
                "added",
                "hosts",
                "hosts_left_out",
                "domains",
                "domains_revision",
                "permissions",
                "consent",
            )
        },
        consents=[
            ConsentBody(
                id=row.id,
                by=row.by,
                at=row.at,
                digest=row.digest,
                review=Review.model_validate(row.review),
                suffix_list=row.suffix_list,
            )
            for row in consents
        ],
    )


def note_of(domains: Sequence[object]) -> str | None:
    return None if domains else ALL_BLOCKED


def domain_bodies(one: Installation) -> list[DomainBody]:
    """Return every rule with where it is from: declared, then added, then what accounts give."""
    in_force = frozenset(one.domains)
    declared = [
        DomainBody(
            rule=domain.rule,
            shown=domain.shown,
            origin="declared",
            in_force=domain.rule in in_force,
            blocked_because=domain.blocked_because,
            purpose=domain.purpose,
            slots=domain.slots or None,
            derived=domain.derived or None,
            defaults=domain.defaults or None,
            wide=domain.wide,
            wide_because=domain.wide_because,
        )
        for domain in one.in_force.domains
    ]
    added = [
        DomainBody(
            rule=domain.rule,
            shown=shown(domain.rule),
            origin="added",
            in_force=domain.rule in in_force,
            by=domain.by,
            reason=domain.reason,
            at=domain.at,
        )
        for domain in one.added
    ]
    hosts = [
        DomainBody(
            rule=host.rule,
            shown=shown(host.rule),
            origin="account",
            in_force=host.rule in in_force,
            accounts=host.accounts,
        )
        for host in one.hosts
    ]
    return [*declared, *added, *hosts]


def _facts(one: Installation) -> dict[str, Any]:
    return {
        "extension": one.extension,
        "name": one.in_force.name,
        "by": one.in_force.by,
        "party": one.in_force.party,
        "preview": one.in_force.is_preview,
        "state": one.state,
        "implicit": one.is_implicit,
        "version": one.in_force.version,
        "may_add_domains": one.in_force.may_add_domains,
        "domain_count": len(one.domains),
        "note": note_of(one.domains),
        "proposed": one.proposed,
        "uninstallation": one.uninstallation,
    }
