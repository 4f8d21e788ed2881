"""What the catalog's tests publish, ask and hear."""

from collections.abc import Iterable
from typing import Any

from keyturn_contracts.actor import Role
from keyturn_contracts.catalog import (
    CertifyExtension,
    LegalDocument,
    Manifest,
    PublishExtension,
    RetireExtension,
    SetLicence,
    Step,
    SupportDetails,
)
from keyturn_contracts.ids import PLATFORM
from keyturn_contracts.installation import (
    ExtensionInstalled,
    ExtensionUninstalled,
    InstallationChanged,
    InstallationState,
)

from shared.messaging.envelope import Asked, News
from tests.batches import asked, news

_HOST = "[a-z0-9.-]{1,253}"
_PORT = "[1-9][0-9]{0,4}"
RELAY = Manifest.model_validate(
    {
        "slug": "smtp-relay",
        "name": "SMTP Relay",
        "publisher": "keyturn",
        "party": "first",
        "category": "email",
        "description": "Sends the platform's email through a mail server of the brand's own.",
        "settings": [
            {"name": "host", "title": "Host", "pattern": _HOST},
            {"name": "port", "title": "Port", "pattern": _PORT, "default": "587"},
        ],
        "schemes": [
            {
                "id": "smtp-password",
                "title": "User and password",
                "fields": [
                    {"name": "username", "title": "User"},
                    {"name": "password", "title": "Password", "secret": True},
                ],
                "probe": {
                    "protocol": "smtp",
                    "host": "{host}",
                    "port": "{port}",
                    "security": "starttls",
                    "username": "{username}",
                    "password": "{password}",
                },
            }
        ],
        "domains": [
            {
                "rule": "{host}:{port}",
                "purpose": "The brand's own mail server.",
                "slots": {"host": _HOST, "port": _PORT},
            }
        ],
        "support": {"name": "Keyturn support", "documentation": "https://keyturn.example/relay"},
        "rotation": {"rotation_class": "operator_defined"},
    }
)
"""A small manifest that can be published, whatever the catalog comes with."""
VENDOR = SupportDetails(
    name="Parcels support", email="help@parcels.example", hours="Mondays to Fridays, 9 to 17 CET"
)


def first_party(slug: str, name: str | None = None, **changes: Any) -> Manifest:
    """Return a manifest of the platform's own, like the relay's."""
    return RELAY.model_copy(
        update={"slug": slug, "name": name or slug.title(), "steps": (), **changes}
    )


def third_party(
    slug: str = "parcels",
    name: str | None = None,
    *,
    publisher: str = "parcels-inc",
    **changes: Any,
) -> Manifest:
    """Return a manifest with all that a third party's needs; it says that it is a preview."""
    return first_party(
        slug,
        name,
        **{
            "party": "third",
            "publisher": publisher,
            "by": "Parcels Inc.",
            "preview": True,
            "support": VENDOR,
            "privacy_policy": LegalDocument(url="https://parcels.example/privacy", version="2"),
            "terms": LegalDocument(url="https://parcels.example/terms", version="7"),
            **changes,
        },
    )


def step(id_: str = "send", name: str = "Send a parcel", **changes: Any) -> Step:
    given = {"kind": "task", "description": "Sends it.", **changes}
    return Step.model_validate({"id": id_, "name": name, **given})


def by_operator(
    command: PublishExtension | CertifyExtension | RetireExtension,
    *,
    by: str = "root",
    brand: str = PLATFORM,
    roles: Iterable[Role] = ("operator",),
    **options: Any,
) -> Asked[Any]:
    return asked(command, by=by, brand=brand, roles=roles, **options)


def by_publisher(
    manifest: Manifest, *, publisher: str = "parcels-inc", roles: Iterable[Role] = ("publisher",)
) -> Asked[PublishExtension]:
    """Return a publication by a publisher's system."""
    return asked(
        PublishExtension(manifest=manifest),
        by=f"publishers/{publisher}",
        brand=PLATFORM,
        roles=roles,
    )


def publication(manifest: Manifest) -> Asked[PublishExtension]:
    return by_operator(PublishExtension(manifest=manifest))


def licence(
    *extensions: str,
    plans: Iterable[str] = (),
    brand: str = "acme",
    roles: Iterable[Role] = ("operator",),
) -> Asked[SetLicence]:
    command = SetLicence(extensions=extensions, plans=tuple(plans))
    return asked(command, by="root", brand=brand, roles=roles)


def installation(
    extension: str,
    sequence: int = 1,
    *,
    state: InstallationState = "installed",
    brand: str = "acme",
) -> News[InstallationChanged]:
    """Return what the installation service says of a brand's extension."""
    kind = ExtensionUninstalled if state == "uninstalled" else ExtensionInstalled
    event = kind(
        extension=extension,
        state=state,
        implicit=False,
        party="third",
        preview=False,
        version=1,
        may_add_domains=False,
        domains_revision=1,
    )
    return news(event, sequence, brand=brand)
