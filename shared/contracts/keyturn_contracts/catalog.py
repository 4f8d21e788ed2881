"""Messages owned by the catalog: what exists, and how it is connected to."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from keyturn_contracts.ids import Slug
from keyturn_contracts.message import Event, Part

Party = Literal["first", "third"]
ExtensionState = Literal["published", "retired"]


class FieldSpec(Part):
    """A setting or a credential field, as somebody fills it in."""

    name: str
    title: str
    help: str | None = None
    secret: bool = False
    required: bool = True
    pattern: str | None = None
    """A regular expression that the whole value must match."""
    default: str | None = None


class SmtpProbe(Part):
    """Log in to a mail server: EHLO, TLS with its certificate checked, AUTH, NOOP, QUIT.

    The texts are templates: `{name}` stands for a setting or a credential field. No message is
    sent. `security` comes out as `starttls` or `tls`; AUTH is never sent in clear.
    """

    protocol: Literal["smtp"] = "smtp"
    host: str
    port: str
    security: str
    username: str
    password: str


class NothingToProbe(Part):
    """The secret is one that the other side uses towards us: shown as "not tried"."""

    protocol: Literal["none"] = "none"


Probe = Annotated[SmtpProbe | NothingToProbe, Field(discriminator="protocol")]


class Scheme(Part):
    """One way to authenticate."""

    id: Slug
    title: str
    fields: tuple[FieldSpec, ...]
    probe: Probe


class DomainRule(Part):
    """An address that the extension may connect to: `name`, `*.name` or with `{slot}`s; `:port`."""

    rule: str
    purpose: str
    slots: dict[str, str] = Field(default_factory=dict)
    """For each slot, the pattern that the setting's value must match."""


class RotationFacts(Part):
    """How the provider rotates this extension's credentials."""

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
    note: str

    @property
    def allows_overlap(self) -> bool | None:
        """Whether two credentials can be valid at once; None where it is the operator's choice."""
        if self.rotation_class in {"overlap_n", "overlap_2", "overlap_grace", "new_principal"}:
            return True
        return None if self.rotation_class in {"operator_defined", "unknown"} else False


class Manifest(Part):
    """What an extension is, as its publisher describes it."""

    slug: Slug
    name: str
    publisher: str
    party: Party
    category: str
    description: str
    settings: tuple[FieldSpec, ...]
    schemes: tuple[Scheme, ...]
    domains: tuple[DomainRule, ...]
    rotation: RotationFacts
    preview: bool = False


class ExtensionPublished(Event):
    """An extension, or a new version of its manifest, can be used. Brand: `platform`."""

    service: ClassVar = "catalog"
    kind: ClassVar = "extensions"

    manifest: Manifest
    version: int = Field(ge=1)
    """Of the manifest, from 1 for each extension."""
    state: ExtensionState = "published"

    @property
    def subject_id(self) -> str:
        return self.manifest.slug
