"""Messages owned by the catalog: what exists, how it is connected to, and who may use it."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, StringConstraints

from keyturn_contracts.ids import Id, Slug
from keyturn_contracts.message import MAY_GROW, Command, Event, Message, Part
from keyturn_contracts.probes import Name, Probe, Text

Party = Literal["first", "third"]
ExtensionState = Literal["published", "retired"]
Basis = Annotated[
    Literal["publisher", "official", "implementation", "secondary", "unverified"], MAY_GROW
]
BrandData = Annotated[Literal["responses", "contacts", "tickets", "users", "files"], MAY_GROW]
"""A kind of data that an extension may read through the brand's public APIs."""

Title = Annotated[str, StringConstraints(min_length=1, max_length=120)]
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Url = Annotated[str, StringConstraints(pattern=r"^https://[^\s/]+(?:/\S*)?$", max_length=2000)]

Remarks = Annotated[tuple[Text, ...], Field(max_length=30)]
"""Sentences for people."""

PublishExtensionReason = Literal["not_the_publisher", "manifest_invalid", "slug_taken"]
CertifyExtensionReason = Literal["not_an_operator", "extension_unknown"]
RetireExtensionReason = Literal["not_an_operator", "extension_unknown"]
SetLicenceReason = Literal["not_an_operator", "extension_unknown", "plan_unknown"]


class Sourced(Part):
    """A fact, with where it is from. `unverified` is shown to people as "not confirmed".

    `publisher`: who publishes the extension says it of itself. `official`: the provider's own
    documentation. `implementation`: a kept integration ships it. `secondary`: another third party.
    """

    basis: Basis = "publisher"
    sources: tuple[Text, ...] = Field(default=(), max_length=30)
    note: Text | None = None

    @property
    def confirmed(self) -> bool:
        return self.basis != "unverified"


class FieldSpec(Part):
    """A setting or a credential field, as somebody fills it in."""

    name: Name
    title: Name
    help: Text | None = None
    secret: bool = False
    required: bool = True
    multiline: bool = False
    pattern: Text | None = None
    """A regular expression that the whole value must match."""
    default: Text | None = None
    example: Text | None = None
    """Never of a secret."""


class DerivedSetting(Part):
    """A value made from settings: the first of the templates whose slots all have one."""

    name: Name
    first_of: tuple[Annotated[str, StringConstraints(max_length=500)], ...] = Field(
        min_length=1, max_length=10
    )


class Step(Sourced):
    """What a workflow can do with the extension: an event starts one, a task is done by one."""

    id: Slug
    kind: Literal["event", "task"]
    name: Title
    description: Sentence


class Permission(Sourced):
    """A kind of the brand's data that the extension may read, and what for."""

    data: BrandData
    purpose: Sentence


class RotationFacts(Sourced):
    """How the provider rotates credentials of this kind."""

    rotation_class: Literal[
        "overlap_n",
        "overlap_2",
        "overlap_grace",
        "new_principal",
        "replace_in_place",
        "reauthorize",
        "vendor_support",
        "operator_defined",
        "impossible",
        "unknown",
    ]
    grace_seconds: int | None = None
    """Of `overlap_grace`, where it is known: how long the old one lives on."""
    expires: bool = False
    """The provider ends it at a time of its own."""
    issue: Text | None = None
    retire: Text | None = None
    hazards: Remarks = ()

    @property
    def allows_overlap(self) -> bool | None:
        """Whether two credentials can be valid at once; None where it is the operator's choice."""
        if self.rotation_class in {"overlap_n", "overlap_2", "overlap_grace", "new_principal"}:
            return True
        return None if self.rotation_class in {"operator_defined", "unknown"} else False


class Scheme(Sourced):
    """One way to authenticate."""

    id: Slug
    title: Name
    recommended: bool = False
    fields: tuple[FieldSpec, ...] = Field(max_length=25)
    probe: Probe
    probe_basis: Basis = "publisher"
    """Where the probe is from; of an `unverified` one a success is still the provider's answer."""
    caveats: Remarks = ()
    """The traps of the probe, in sentences for people."""
    rotation: RotationFacts | None = None
    """Where it differs from the extension's."""
    ends_on: Name | None = None
    """When the provider withdraws it, as far as it said: `2027`, `2027-03` or `2027-03-31`."""


class DomainRule(Sourced):
    """An address that the extension may connect to: `name`, `*.name` or with `{slot}`s; `:port`."""

    rule: Text
    purpose: Text
    slots: dict[Name, Text] = Field(default_factory=dict, max_length=10)
    """For each slot, the pattern that the setting's value must match."""
    wide_because: Text | None = None
    """Why a wildcard below which several owners live is needed; the review shows it."""


class SupportDetails(Part):
    """Whom to turn to. Third party: a name, hours, and an e-mail address or a URL."""

    name: Title
    email: (
        Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=320)] | None
    ) = None
    url: Url | None = None
    hours: Text | None = None
    documentation: Url | None = None


class LegalDocument(Part):
    """A text that is accepted, in the version that was shown."""

    url: Url
    version: Annotated[str, StringConstraints(min_length=1, max_length=40)]


class AdditionalDomains(Sourced):
    """Whether a brand may add domains of its own, and why."""

    allowed: bool
    why: Sentence


class Manifest(Part):
    """What an extension is, as its publisher describes it.

    Lists and texts have room for several times what any extension is known to need, so that
    whoever reads or judges one does a bounded amount of work.
    """

    slug: Slug
    name: Title
    publisher: Slug
    by: Title | None = None
    """The publisher's name for people; of first-party extensions the platform's, a setting."""
    party: Party
    category: Slug
    description: Sentence
    preview: bool = False
    steps: tuple[Step, ...] = Field(default=(), max_length=100)
    settings: tuple[FieldSpec, ...] = Field(max_length=40)
    derived: tuple[DerivedSetting, ...] = Field(default=(), max_length=20)
    schemes: tuple[Scheme, ...] = Field(max_length=20)
    domains: tuple[DomainRule, ...] = Field(max_length=300)
    additional_domains: AdditionalDomains | None = None
    permissions: tuple[Permission, ...] = Field(default=(), max_length=20)
    support: SupportDetails | None = None
    privacy_policy: LegalDocument | None = None
    terms: LegalDocument | None = None
    rotation: RotationFacts
    gaps: Remarks = ()
    """What nobody has confirmed yet, in sentences for people."""

    @property
    def may_add_domains(self) -> bool:
        return self.additional_domains is not None and self.additional_domains.allowed


class AboutExtension(Message):
    """Base of the messages about one extension. Brand: `platform`."""

    service: ClassVar = "catalog"
    kind: ClassVar = "extensions"


class PublishExtension(AboutExtension, Command):
    """Publish an extension, or a new version of it; a publisher its own, an operator any.

    The sender's `sub` is `publishers/<slug>` for a publisher's system. The slug belongs to whoever
    published it first.
    """

    reasons: ClassVar = get_args(PublishExtensionReason)

    manifest: Manifest

    @property
    def subject_id(self) -> str:
        return self.manifest.slug


class NamesExtension(AboutExtension):
    """Base of the commands that name an extension."""

    extension: Slug

    @property
    def subject_id(self) -> str:
        return self.extension


class CertifyExtension(NamesExtension, Command):
    """End an extension's preview: from here on it is certified, in later versions too."""

    reasons: ClassVar = get_args(CertifyExtensionReason)


class RetireExtension(NamesExtension, Command):
    """Take an extension out of the catalog. What is installed of it goes on."""

    reasons: ClassVar = get_args(RetireExtensionReason)

    reason: Sentence


class ExtensionChanged(AboutExtension, Event):
    """Base of the events about an extension: all its state after the change."""

    manifest: Manifest
    """Its `preview` is what holds now: false once it is certified."""
    version: int = Field(ge=1)
    """Of the manifest, from 1 for each extension."""
    state: ExtensionState = "published"
    published_at: datetime | None = None

    @property
    def subject_id(self) -> str:
        return self.manifest.slug


class ExtensionPublished(ExtensionChanged):
    """An extension, or a new version of its manifest, can be used."""


class ExtensionCertified(ExtensionChanged):
    """Its preview is over."""


class ExtensionRetired(ExtensionChanged):
    """Nobody finds it any more; what is installed of it goes on."""


class AboutLicence(Message):
    """Base of the messages about a brand's licence; a brand has one."""

    service: ClassVar = "catalog"
    kind: ClassVar = "licence"

    @property
    def subject_id(self) -> str:
        return ""


class SetLicence(AboutLicence, Command):
    """Say which extensions a brand sees and uses; what is absent from it ends. Operators only."""

    reasons: ClassVar = get_args(SetLicenceReason)

    extensions: tuple[Slug, ...] = Field(default=(), max_length=5000)
    plans: tuple[Id, ...] = Field(default=(), max_length=100)
    """Named sets of extensions, in the catalog's configuration; followed when they change."""


class LicenceChanged(AboutLicence, Event):
    """Which extensions a brand may see and use: those named and those of its plans."""

    extensions: tuple[Slug, ...]
    plans: tuple[Id, ...] = ()
