"""Messages owned by the catalog: what exists, how it is connected to, and who may use it."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, StringConstraints

from keyturn_contracts.ids import Id, Slug
from keyturn_contracts.message import MAY_GROW, Command, Event, Message, Part

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
    sources: tuple[str, ...] = ()
    note: str | None = None

    @property
    def confirmed(self) -> bool:
        return self.basis != "unverified"


class FieldSpec(Part):
    """A setting or a credential field, as somebody fills it in."""

    name: str
    title: str
    help: str | None = None
    secret: bool = False
    required: bool = True
    multiline: bool = False
    pattern: str | None = None
    """A regular expression that the whole value must match."""
    default: str | None = None
    example: str | None = None
    """Never of a secret."""


class DerivedSetting(Part):
    """A value made from settings: the first of the templates whose slots all have one."""

    name: str
    first_of: tuple[str, ...] = Field(min_length=1)


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


class SmtpProbe(Part):
    """Log in to a mail server: EHLO, TLS with its certificate checked, AUTH, NOOP, QUIT.

    The texts are templates: `{name}` stands for a setting, a derived value or a credential field.
    No message is sent. `security` comes out as `starttls` or `tls`; AUTH is never sent in clear.
    """

    protocol: Literal["smtp"] = "smtp"
    host: str
    port: str
    security: str
    username: str
    password: str


class SftpProbe(Part):
    """Log in to an SFTP server whose host key is known, and list one folder.

    Templates, as of `SmtpProbe`. `host_key` is one line of OpenSSH's public keys: a server that
    shows another is refused before anything is sent to it.
    """

    protocol: Literal["sftp"] = "sftp"
    host: str
    port: str
    username: str
    host_key: str
    password: str | None = None
    private_key: str | None = None
    passphrase: str | None = None
    folder: str = "."


Verdict = Literal[
    "credential_dead",
    "alive_but_denied",
    "settings_wrong",
    "consent_needed",
    "transient",
    "unknown",
]
"""What an answer says of the credential: refused; accepted but lacking a right; for a place that
does not exist; a person must consent again; try later; the answer does not tell."""


class JsonRule(Part):
    """What must hold of a JSON answer. `path` is dotted: `user.id`; digits index a list."""

    path: str
    op: Literal["eq", "ne", "exists", "nonempty", "gt"]
    value: str | int | bool | None = None


class ProbeFailure(Part):
    """An answer that means failure: of this status, or with this value at this place."""

    status: int | None = None
    path: str | None = None
    value: str | int | bool | None = None
    verdict: Verdict


class BasicAuthorization(Part):
    """RFC 7617: the templates of both halves."""

    username: str
    password: str


class JwtAssertion(Part):
    """A JWT that the vault signs for one try (RFC 7523). Templates; `private_key` is PEM.

    `{public_key_sha256}` stands for the base64 SHA-256 of the key's public half in DER.
    """

    kind: Literal["jwt"] = "jwt"
    private_key: str
    passphrase: str | None = None
    algorithm: Literal["RS256", "ES256"] = "RS256"
    issuer: str
    subject: str
    audience: str | None = None
    key_id: str | None = None
    lifetime_seconds: int = Field(default=300, ge=30, le=3600)
    claims: dict[str, str] = Field(default_factory=dict)


class SamlAssertion(Part):
    """A SAML 2.0 bearer assertion (RFC 7522) that the vault signs for one try. Templates."""

    kind: Literal["saml"] = "saml"
    private_key: str
    certificate: str | None = None
    issuer: str
    subject: str
    audience: str
    recipient: str
    attributes: dict[str, str] = Field(default_factory=dict)


Assertion = Annotated[JwtAssertion | SamlAssertion, Field(discriminator="kind")]


class TokenRequest(Part):
    """How an access token is got before the probe; it then stands for `{access_token}`.

    `assertion`: what was signed is itself the token, and no request is made.
    """

    grant: Literal["client_credentials", "jwt_bearer", "saml_bearer", "password", "assertion"]
    url: str | None = None
    client_authentication: Literal["body", "basic", "none"] = "body"
    client_id: str | None = None
    client_secret: str | None = None
    username: str | None = None
    password: str | None = None
    scopes: tuple[str, ...] = ()
    scope_separator: Literal[" ", ","] = " "
    parameters: dict[str, str] = Field(default_factory=dict)
    assertion: Assertion | None = None
    token_path: str = "access_token"  # noqa: S105  where a token stands, not one


class HttpProbe(Part):
    """One request that shows whether the credentials live. It changes nothing at the provider.

    `url`, `headers`, `basic`, `body` are templates. Success is one of `statuses` with every rule
    of `rules`; else the first of `failures` that fits says what went wrong.
    """

    protocol: Literal["http"] = "http"
    method: Literal["GET", "HEAD", "POST"] = "GET"
    url: str
    headers: dict[str, str] = Field(default_factory=dict)
    basic: BasicAuthorization | None = None
    body: str | None = None
    token: TokenRequest | None = None
    statuses: tuple[int, ...] = Field(min_length=1)
    rules: tuple[JsonRule, ...] = ()
    failures: tuple[ProbeFailure, ...] = ()
    label_path: str | None = None
    """Where a JSON answer names whom the credentials belong to."""


class ConsentProbe(Part):
    """A person consents in a browser (RFC 6749, section 4.1): `scheme_not_supported` until then."""

    protocol: Literal["consent"] = "consent"
    authorize_url: str
    token_url: str
    pkce: Literal["required", "supported", "off", "unknown"] = "unknown"
    scopes: tuple[str, ...] = ()
    scope_separator: Literal[" ", ","] = " "
    authorize_parameters: dict[str, str] = Field(default_factory=dict)
    token_parameters: dict[str, str] = Field(default_factory=dict)


class NothingToProbe(Part):
    """The secret is one that the other side uses towards us: shown as "not tried"."""

    protocol: Literal["none"] = "none"


Probe = Annotated[
    SmtpProbe | SftpProbe | HttpProbe | ConsentProbe | NothingToProbe,
    Field(discriminator="protocol"),
]


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
    issue: str | None = None
    retire: str | None = None
    hazards: tuple[str, ...] = ()

    @property
    def allows_overlap(self) -> bool | None:
        """Whether two credentials can be valid at once; None where it is the operator's choice."""
        if self.rotation_class in {"overlap_n", "overlap_2", "overlap_grace", "new_principal"}:
            return True
        return None if self.rotation_class in {"operator_defined", "unknown"} else False


class Scheme(Sourced):
    """One way to authenticate."""

    id: Slug
    title: str
    recommended: bool = False
    fields: tuple[FieldSpec, ...]
    probe: Probe
    probe_basis: Basis = "publisher"
    """Where the probe is from; of an `unverified` one a success is still the provider's answer."""
    caveats: tuple[str, ...] = ()
    """The traps of the probe, in sentences for people."""
    rotation: RotationFacts | None = None
    """Where it differs from the extension's."""
    ends_on: str | None = None
    """When the provider withdraws it, as far as it said: `2027`, `2027-03` or `2027-03-31`."""


class DomainRule(Sourced):
    """An address that the extension may connect to: `name`, `*.name` or with `{slot}`s; `:port`."""

    rule: str
    purpose: str
    slots: dict[str, str] = Field(default_factory=dict)
    """For each slot, the pattern that the setting's value must match."""
    wide_because: str | None = None
    """Why a wildcard below which several owners live is needed; the review shows it."""


class SupportDetails(Part):
    """Whom to turn to. Third party: a name, hours, and an e-mail address or a URL."""

    name: Title
    email: (
        Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=320)] | None
    ) = None
    url: Url | None = None
    hours: str | None = None
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
    """What an extension is, as its publisher describes it."""

    slug: Slug
    name: Title
    publisher: Slug
    by: Title | None = None
    """The publisher's name for people; of first-party extensions the platform's, a setting."""
    party: Party
    category: Slug
    description: Sentence
    preview: bool = False
    steps: tuple[Step, ...] = ()
    settings: tuple[FieldSpec, ...]
    derived: tuple[DerivedSetting, ...] = ()
    schemes: tuple[Scheme, ...]
    domains: tuple[DomainRule, ...]
    additional_domains: AdditionalDomains | None = None
    permissions: tuple[Permission, ...] = ()
    support: SupportDetails | None = None
    privacy_policy: LegalDocument | None = None
    terms: LegalDocument | None = None
    rotation: RotationFacts
    gaps: tuple[str, ...] = ()
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
