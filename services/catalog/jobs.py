"""What the catalog does without being asked: publishes the manifests that it comes with."""

from collections.abc import Iterable
from pathlib import Path

from keyturn_contracts.catalog import Manifest
from keyturn_contracts.ids import PLATFORM
from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog import store
from services.catalog.rules.extension import Extension, decide_publication
from services.catalog.rules.manifest import ManifestError, read_manifest
from shared.decisions import Applied
from shared.messaging.outbox import Announcement, announce

MANIFESTS = Path(__file__).parent / "manifests"


def read_manifests(folder: Path) -> list[Manifest]:
    """Read every manifest in the folder, each in a file of its slug's name; all or none."""
    manifests: list[Manifest] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            manifest = read_manifest(path.read_text(encoding="utf-8"))
        except ManifestError as error:
            raise ManifestError(f"{path.name}: {error}") from None
        if manifest.slug != path.stem:
            raise ManifestError(f"{path.name}: its slug is {manifest.slug}, so rename the file.")
        manifests.append(manifest)
    return manifests


async def publish_manifests(engine: AsyncEngine, manifests: Iterable[Manifest]) -> int:
    """Announce those that are new or changed, in one transaction; return how many were.

    Several processes may do it at once, and each as often as it starts. An extension without a
    manifest any more stays as it is: what brands use does not go away with a file.
    """
    wanted = {one.slug: one for one in manifests}
    async with engine.begin() as connection:
        await store.lock_publishing(connection)
        known = await store.lock_extensions(connection, wanted)
        changed: dict[str, Extension] = {}
        announcements: list[Announcement] = []
        for slug, manifest in sorted(wanted.items()):
            decision = decide_publication(known.get(slug), manifest)
            if isinstance(decision, Applied):
                changed[slug] = decision.state
                announcements += [
                    Announcement(event=event, brand=PLATFORM, cause=None)
                    for event in decision.events
                ]
        if changed:
            await store.save_extensions(connection, changed)
            await announce(connection, announcements)
    return len(changed)
