"""Messages owned by the installation service: what a brand accepted, and what may be reached."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, StringConstraints

from keyturn_contracts.catalog import BrandData, LegalDocument, Party, Sentence
from keyturn_contracts.ids import Hex256, Id, Slug
from keyturn_contracts.message import MAY_GROW, Command, Event, Message, Part

InstallationState = Literal["installed", "suspended", "uninstalling", "uninstalled"]
"""`suspended`: the licence does not cover it now; nothing of it is lost."""
_Participant = Literal["credential-vault", "workflow", "access"]
Participant = Annotated[_Participant, MAY_GROW]
"""A service that has to end its part of an uninstallation."""
PARTICIPANTS: tuple[_Participant, ...] = get_args(_Participant)

ALL_BLOCKED = "All domains are blocked."
"""What people read where an installation has no domain."""
MAX_ADDED = 500
"""How many domains a brand may add to one installation."""
MAX_HOSTS = 2000
"""How many exact hosts of accounts stand in an event; what is beyond is blocked, and counted."""

Domain = Annotated[str, StringConstraints(min_length=1, max_length=600)]
"""As somebody typed it; `keyturn_contracts.domains` says what it means, or why it is refused."""

SuffixList = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""The versions of the lists of shared names that domains are judged by, in one string."""

_AboutAnInstallation = Literal["not_an_administrator", "not_licensed", "not_installed"]
InstallExtensionReason = Literal[
    "not_an_administrator",
    "not_licensed",
    "extension_unknown",
    "extension_retired",
    "review_stale",
    "already_implicit",
    "uninstalling",
]
AcceptChangeReason = Literal["nothing_proposed", "review_stale", _AboutAnInstallation]
AddDomainsReason = Literal["domains_fixed", "domains_refused", _AboutAnInstallation]
RemoveDomainsReason = Literal["domains_refused", _AboutAnInstallation]
UninstallExtensionReason = Literal["implicit", "impact_changed", _AboutAnInstallation]


class AboutInstallation(Message):
    """Base of the messages about one extension of a brand."""

    service: ClassVar = "installation"
    kind: ClassVar = "installations"

    extension: Slug

    @property
    def subject_id(self) -> str:
        return self.extension


class ReviewChanged(Part):
    """The details of a refusal as `review_stale`: the digest of today, and what is different."""

    digest: Hex256
    changes: tuple[str, ...]


class InstallExtension(AboutInstallation, Command):
    """Accept exactly what `GET /v1/installations/{slug}/review` showed."""

    reasons: ClassVar = get_args(InstallExtensionReason)
    details: ClassVar = ReviewChanged

    accepts: Hex256
    """The digest of the review."""


class AcceptChange(AboutInstallation, Command):
    """Accept what a newer version of the extension asks for beyond what was accepted."""

    reasons: ClassVar = get_args(AcceptChangeReason)
    details: ClassVar = ReviewChanged

    accepts: Hex256


class AddDomains(AboutInstallation, Command):
    """Let the extension reach more of the internet. A verdict for each domain that was not added.

    Refused as `domains_refused` where none was added and none was there already.
    """

    reasons: ClassVar = get_args(AddDomainsReason)

    domains: tuple[Domain, ...] = Field(min_length=1, max_length=MAX_ADDED)
    reason: Sentence


class RemoveDomains(AboutInstallation, Command):
    """Take domains away that the brand added; declared ones stay. A verdict for each."""

    reasons: ClassVar = get_args(RemoveDomainsReason)

    domains: tuple[Domain, ...] = Field(min_length=1, max_length=MAX_ADDED)
    reason: Sentence


class ImpactChanged(Part):
    """The details of a refusal as `impact_changed`: the revision of today's answer."""

    revision: Hex256


class UninstallExtension(AboutInstallation, Command):
    """End all access to an extension, delete its accounts, suspend its tasks.

    It begins by this command and is complete when each participant has said so.
    """

    reasons: ClassVar = get_args(UninstallExtensionReason)
    details: ClassVar = ImpactChanged

    revision: Hex256 | None = None
    """Of the answer of `GET /v1/installations/{slug}/impact` that somebody looked at."""
    force: bool = False
    """Whatever the world looks like now. One of both has to be given."""
    reason: Sentence = "No reason was given."


class DeclaredDomain(Part):
    """A rule of the manifest that is in force, as `keyturn_contracts.domains` stores it."""

    rule: str
    slots: dict[str, str] = Field(default_factory=dict)
    """For each slot, the pattern that was accepted and its value must match."""
    derived: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] | None = None
    """For each slot that no setting fills, the accepted templates whose first complete one does.

    Absent, as `defaults`, where it was not told yet: then nobody can say what was accepted.
    """
    defaults: dict[str, str] | None = None
    """What was accepted to fill a setting that is left out: of its slots and of their templates.
    A setting of these that is not in it has no default, whatever a newer manifest says."""
    is_wide: bool = False
    """Several owners live below its wildcard, and the manifest says why it is needed."""


class AddedDomain(Part):
    """A domain that the brand added, as `keyturn_contracts.domains` stores it."""

    rule: str
    by: str
    reason: str
    at: datetime
    suffix_list: SuffixList | None = None
    """By what it was judged when it was added; absent where that was not recorded yet."""


class AccountHost(Part):
    """An exact address that accounts' settings give: `name` or `name:port`."""

    rule: str
    accounts: int = Field(ge=1)
    """How many accounts give it."""


class Consent(Part):
    """Who accepted what, and when. All of them are kept for ever; this is the newest."""

    id: str
    by: str
    at: datetime
    version: int = Field(ge=1)
    """Of the manifest."""
    digest: Hex256
    privacy_policy: LegalDocument | None = None
    terms: LegalDocument | None = None
    suffix_list: SuffixList | None = None
    """By what its domains were judged; absent where that was not recorded yet."""


class ProposedChange(Part):
    """What a newer version of the manifest asks for; the accepted version goes on."""

    version: int = Field(ge=1)
    digest: Hex256
    """Of the review that `AcceptChange` accepts."""
    changes: tuple[str, ...]
    """What becomes wider or different, each in a sentence for people."""


class Uninstallation(Part):
    """How far an uninstallation has got."""

    uninstall_id: Id
    """The id of the command that began it."""
    by: str
    reason: str
    started_at: datetime
    deadline: datetime
    waiting: tuple[Participant, ...] = ()
    """Who has not confirmed yet."""
    accounts: int = Field(default=0, ge=0)
    """How many were deleted, as the vault counted."""
    tasks: int = Field(default=0, ge=0)
    """How many were suspended, as the workflow service counted."""
    grants: int = Field(default=0, ge=0)
    """How many were ended, as the access service counted."""
    overdue: bool = False
    completed_at: datetime | None = None


class InstallationChanged(AboutInstallation, Event):
    """Base of the events about an installation: all its state after the change."""

    state: InstallationState
    implicit: bool
    """It comes with the licence; nobody installed it, and nobody can uninstall it."""
    party: Party
    preview: bool
    version: int = Field(ge=1)
    """Of the manifest whose domains and permissions are in force."""
    may_add_domains: bool
    declared: tuple[DeclaredDomain, ...] = ()
    added: tuple[AddedDomain, ...] = ()
    hosts: tuple[AccountHost, ...] = ()
    hosts_left_out: int = Field(default=0, ge=0)
    domains: tuple[str, ...] = ()
    """The effective list: exactly what may be reached. Empty: all domains are blocked."""
    domains_revision: int = Field(ge=1)
    """Rises whenever the effective list changes."""
    suffix_list: SuffixList | None = None
    """By what the service judged domains when it said this; absent where it did not say so yet."""
    permissions: tuple[BrandData, ...] = ()
    consent: Consent | None = None
    proposed: ProposedChange | None = None
    uninstallation: Uninstallation | None = None
    """Of an installation that is being or was uninstalled."""


class ExtensionInstalled(InstallationChanged):
    """It can be used: it was accepted, or came with the licence, or its licence is back."""


class ExtensionSuspended(InstallationChanged):
    """The licence does not cover it any more; nothing of it is lost."""


class ChangeProposed(InstallationChanged):
    """A newer version asks for more than was accepted."""


class ChangeAccepted(InstallationChanged):
    """A newer version is in force: accepted, or because it asks for less."""


class DomainsChanged(InstallationChanged):
    """What it may reach is different."""


class UninstallStarted(InstallationChanged):
    """Nobody can use it any more; each participant ends its part."""


class UninstallOverdue(InstallationChanged):
    """An uninstallation is late; `waiting` names who is missing."""


class ExtensionUninstalled(InstallationChanged):
    """Each participant has confirmed that nothing of it is left."""


class Clearance(Event):
    """How far one participant has got with its part of an uninstallation."""

    kind: ClassVar = "clearances"

    extension: Slug
    uninstall_id: Id
    done: bool

    @property
    def subject_id(self) -> str:
        return f"{self.extension}/{self.service}"
