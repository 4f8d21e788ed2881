"""A third party's extension: published, licensed, installed, uninstalled by real services."""

from typing import Any

from keyturn_client import Backend
from keyturn_client.commands import Signer
from keyturn_client.http import Http
from keyturn_client.keys import read_signing_key
from keyturn_client.problems import KeyturnError
from keyturn_contracts.access import EnableExtension
from keyturn_contracts.catalog import (
    LegalDocument,
    PublishExtension,
    SetLicence,
    SupportDetails,
)
from keyturn_contracts.ids import PLATFORM
from keyturn_contracts.installation import InstallExtension, UninstallExtension

from tests.client.world import OWNER, Brand, World, applied
from tests.credential_vault.given import PAGER
from tests.waiting import eventually

SLUG = "pager"
_FIRST, *_OTHERS = PAGER.schemes
MANIFEST = PAGER.model_copy(
    update={
        "schemes": (_FIRST.model_copy(update={"recommended": True}), *_OTHERS),
        "by": "Example Soft",
        "support": SupportDetails(
            name="Example Soft", email="help@soft.example", hours="09:00 to 17:00 UTC"
        ),
        "privacy_policy": LegalDocument(url="https://soft.example/privacy", version="1"),
        "terms": LegalDocument(url="https://soft.example/terms", version="1"),
    }
)


async def install(world: World, brand: Brand) -> None:
    """Publish it, license the brand for it, accept what its review shows, enable it for all."""
    async with Backend(world.backend_settings(PLATFORM, roles=["operator"])) as catalog:
        applied(await catalog.ask(PublishExtension(manifest=MANIFEST)))
    async with Backend(world.backend_settings(brand.name, roles=["operator"])) as operator:
        applied(await operator.ask(SetLicence(extensions=("smtp-relay", SLUG))))
    digest = (await shown(world, brand, "/review"))["digest"]
    applied(await brand.backend.ask(InstallExtension(extension=SLUG, accepts=digest)))
    applied(await brand.backend.ask(EnableExtension(extension=SLUG, all=True)))


async def uninstall(brand: Brand) -> str:
    """Begin to uninstall it; return the uninstallation's id."""
    prepared = brand.backend.prepare(
        UninstallExtension(extension=SLUG, force=True, reason="Not needed any more.")
    )
    applied(await brand.backend.ask(prepared))
    return prepared.id


async def shown(world: World, brand: Brand, what: str = "") -> dict[str, Any]:
    """Return what is shown of the installation, as soon as there is anything."""
    signer = Signer(
        key=read_signing_key(world.folder / "issuer-key.json"),
        issuer="local",
        subject=OWNER,
        brand=brand.name,
        roles=frozenset({"administrator"}),
    )
    http = Http(world.services, signer)

    async def find() -> dict[str, Any] | None:
        try:
            return await http.get("installation", f"/v1/installations/{SLUG}{what}")
        except KeyturnError:
            # News of the extension or of the licence is on its way.
            return None

    try:
        found = await eventually(find)
    finally:
        await http.close()
    assert found is not None
    return found
