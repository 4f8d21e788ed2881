"""When an extension is published, certified and retired: pure, no clock, no database, no broker."""

from dataclasses import dataclass, replace
from datetime import datetime

from keyturn_contracts.actor import Actor
from keyturn_contracts.catalog import (
    CertifyExtension,
    CertifyExtensionReason,
    ExtensionCertified,
    ExtensionPublished,
    ExtensionRetired,
    ExtensionState,
    Manifest,
    PublishExtension,
    PublishExtensionReason,
    RetireExtension,
    RetireExtensionReason,
)
from keyturn_contracts.ids import PLATFORM

from services.catalog.rules.manifest import problems_of, problems_of_publishers_name
from services.catalog.rules.manifest.wording import printable
from shared.decisions import Applied, Decision, Refused, Unchanged
from shared.messaging.envelope import Asked

OPERATOR = "operator"
PUBLISHER = "publisher"
_MOST_PROBLEMS = 20

_NO_OPERATOR = "Only an operator of the platform does this, signing for the brand platform."
_UNKNOWN = "There is no such extension. Look its slug up with GET /v1/extensions."


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One version of a manifest as it was published. All of them are kept."""

    version: int
    manifest: Manifest
    published_at: datetime
    published_by: str | None = None
    """The actor's subject; None where the catalog came with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    manifest: Manifest
    """As it holds now: its `preview` is whether nobody has certified it yet."""
    version: int
    """Of the manifest, from 1; it rises when the manifest changes."""
    published_at: datetime
    state: ExtensionState = "published"
    is_certified: bool = False
    """For good: a later version is no preview either."""
    retired_because: str | None = None
    new: tuple[Edition, ...] = ()
    """Editions that are not saved yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What the platform says of itself."""

    name: str
    """For people; nobody else goes by it."""
    private_hosts: frozenset[str] = frozenset()
    """Hosts that an extension may declare although nobody else may reach them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A manifest that somebody publishes."""

    manifest: Manifest
    at: datetime
    by: str | None = None
    """None where the catalog comes with it."""
    is_trusted: bool = True
    """By the platform: it may certify what it publishes."""
    revives: bool = False
    """Whether what was retired is back in the catalog with it."""


def decide_publication(
    platform: Platform, extension: Extension | None, asked: Asked[PublishExtension]
) -> Decision[Extension, PublishExtensionReason]:
    """Publish a manifest for who may: an operator any, a publisher's system its own."""
    manifest = asked.command.manifest
    if refusal := _refuse_publisher(extension, manifest, asked.actor):
        return refusal
    if is_taken(extension, manifest):
        return Refused("slug_taken", f"The slug {manifest.slug} is another publisher's.")
    if problems := problems_at(platform, manifest):
        return Refused("manifest_invalid", _sentences(problems))
    is_operator = OPERATOR in asked.actor.roles
    return publish(
        extension,
        Publication(
            manifest=manifest,
            by=asked.actor.subject,
            at=asked.at,
            is_trusted=is_operator,
            revives=is_operator,
        ),
    )


def problems_at(platform: Platform, manifest: Manifest) -> list[str]:
    """Return why this platform publishes it for nobody, each in a sentence; or nothing."""
    name = problems_of_publishers_name(manifest, platform.name)
    return [*map(printable, name), *problems_of(manifest, platform.private_hosts)]


def is_taken(extension: Extension | None, manifest: Manifest) -> bool:
    """Tell whether the slug belongs to another publisher, who published it first."""
    return extension is not None and extension.manifest.publisher != manifest.publisher


def publish(
    extension: Extension | None, publication: Publication
) -> Applied[Extension] | Unchanged[Extension]:
    """Publish a manifest that is new or says something new.

    A third party's extension is a preview until the platform has certified it, whatever a
    publisher says of its own.
    """
    sent = publication.manifest
    is_certified = extension is not None and extension.is_certified
    if publication.is_trusted and sent.party == "third" and not sent.preview:
        is_certified = True
    manifest = sent.model_copy(update={"preview": sent.party == "third" and not is_certified})
    if extension is None:
        first = Extension(
            manifest=manifest, version=0, published_at=publication.at, is_certified=is_certified
        )
        return _published(first, publication)
    stays_retired = extension.state == "retired" and not publication.revives
    after = replace(
        extension,
        manifest=manifest,
        is_certified=is_certified,
        state="retired" if stays_retired else "published",
        retired_because=extension.retired_because if stays_retired else None,
    )
    if extension.manifest != manifest:
        return _published(after, publication)
    if extension.state != after.state:
        return Applied(after, (_event(ExtensionPublished, after),))
    return Unchanged("This manifest is the one that is published already.")


def decide_certification(
    extension: Extension | None, asked: Asked[CertifyExtension]
) -> Decision[Extension, CertifyExtensionReason]:
    """End a preview, for this version and those to come."""
    if not _is_operator(asked.actor):
        return Refused("not_an_operator", _NO_OPERATOR)
    if extension is None:
        return Refused("extension_unknown", _UNKNOWN)
    if not extension.manifest.preview:
        return Unchanged("It is no preview.")
    certified = replace(
        extension,
        manifest=extension.manifest.model_copy(update={"preview": False}),
        is_certified=True,
    )
    return Applied(certified, (_event(ExtensionCertified, certified),))


def decide_retirement(
    extension: Extension | None, asked: Asked[RetireExtension]
) -> Decision[Extension, RetireExtensionReason]:
    """Take it out of the catalog; what is installed of it goes on."""
    if not _is_operator(asked.actor):
        return Refused("not_an_operator", _NO_OPERATOR)
    if extension is None:
        return Refused("extension_unknown", _UNKNOWN)
    if extension.state == "retired":
        return Unchanged("It is retired already.")
    retired = replace(extension, state="retired", retired_because=asked.command.reason)
    return Applied(retired, (_event(ExtensionRetired, retired),))


def _refuse_publisher(
    extension: Extension | None, manifest: Manifest, actor: Actor
) -> Refused[Extension, PublishExtensionReason] | None:
    if actor.brand != PLATFORM:
        return Refused(
            "not_the_publisher", "An extension belongs to no brand: sign for the brand platform."
        )
    if OPERATOR in actor.roles:
        return None
    if PUBLISHER not in actor.roles or actor.subject != f"publishers/{manifest.publisher}":
        return Refused(
            "not_the_publisher",
            f"Only an operator, or publishers/{manifest.publisher} itself with the role "
            "publisher, publishes this.",
        )
    if manifest.party == "first" or (extension and extension.manifest.party == "first"):
        return Refused("not_the_publisher", "Only operators publish first-party extensions.")
    return None


def _is_operator(actor: Actor) -> bool:
    return actor.brand == PLATFORM and OPERATOR in actor.roles


def _published(extension: Extension, publication: Publication) -> Applied[Extension]:
    edition = Edition(
        version=extension.version + 1,
        manifest=publication.manifest,
        published_at=publication.at,
        published_by=publication.by,
    )
    published = replace(
        extension,
        version=edition.version,
        published_at=edition.published_at,
        new=(*extension.new, edition),
    )
    return Applied(published, (_event(ExtensionPublished, published),))


def _event(
    kind: type[ExtensionPublished] | type[ExtensionCertified] | type[ExtensionRetired],
    extension: Extension,
) -> ExtensionPublished | ExtensionCertified | ExtensionRetired:
    return kind(
        manifest=extension.manifest,
        version=extension.version,
        state=extension.state,
        published_at=extension.published_at,
    )


def _sentences(problems: list[str]) -> str:
    more = len(problems) - _MOST_PROBLEMS
    shown = " ".join(problems[:_MOST_PROBLEMS])
    return f"{shown} And {more} more." if more > 0 else shown
