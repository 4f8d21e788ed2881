"""What the catalog does without being asked: follows its manifests and its plans, at each start."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from keyturn_contracts.catalog import Manifest
from keyturn_contracts.ids import PLATFORM
from keyturn_contracts.message import Key
from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.rules.extension import Extension, Publication, is_taken, publish
from services.catalog.rules.licence import Plans, covered
from services.catalog.rules.manifest import (
    SHARED,
    ManifestError,
    read_library,
    read_parts,
    understand_manifest,
)
from services.catalog.rules.plan import PlanError, problem_of
from services.catalog.store import extension as extensions
from services.catalog.store import licence as licences
from shared.decisions import Applied
from shared.messaging.outbox import Announcement, announce

MANIFESTS = Path(__file__).parent / "manifests"
EXAMPLES = MANIFESTS / "examples"


def read_manifests(folder: Path) -> list[Manifest]:
    """Read every manifest in the folder, each in a file of its slug's name; all or none.

    What they share is in its folder `shared`; no other folder in it is looked at.
    """
    return read_library(_texts(folder), _texts(folder / SHARED))


def read_file(file: Path) -> tuple[Manifest, list[str]]:
    """Read one manifest without judging it, with a sentence for each key of it that is unknown.

    What it shares with others is in the folder `shared` beside it. `ManifestError` where it is no
    manifest; `OSError` and `UnicodeDecodeError` where it cannot be read.
    """
    parts = read_parts(_texts(file.parent / SHARED))
    return understand_manifest(file.read_text(encoding="utf-8"), parts)


def _texts(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.yaml")}


async def publish_manifests(engine: AsyncEngine, manifests: Iterable[Manifest]) -> int:
    """Announce those that are new or changed, in one transaction; return how many were.

    Several processes may do it at once, and each as often as it starts. What an operator published
    or retired meanwhile stays so until the file changes; an extension without a file any more
    stays as it is: what brands use does not go away with it. `ManifestError` where another
    publisher has the slug.
    """
    wanted = {extensions.key_of(one.slug): one for one in manifests}
    async with engine.begin() as connection:
        known = await extensions.lock_extensions(connection, wanted)
        shipped = await extensions.load_shipped(connection, (key.id for key in wanted))
        now = datetime.now(UTC)
        changed: dict[Key, Extension] = {}
        announcements: list[Announcement] = []
        for key, manifest in sorted(wanted.items(), key=lambda item: item[0]):
            if is_taken(known.get(key), manifest):
                raise ManifestError(
                    f"{key.id}: another publisher published an extension with this slug first; "
                    "rename this one."
                )
            if shipped.get(key.id) == manifest:
                continue
            decision = publish(known.get(key), Publication(manifest=manifest, at=now))
            if isinstance(decision, Applied):
                changed[key] = decision.state
                announcements += [Announcement(one, PLATFORM) for one in decision.events]
        if changed:
            await extensions.save_extensions(connection, changed)
            await announce(connection, announcements)
    return len(changed)


async def follow_plans(engine: AsyncEngine, plans: Plans) -> int:
    """Make these the plans; return how many brands' licences cover something else with them.

    Each of those is announced, all in one transaction. `PlanError` where a plan names an extension
    that was never published, and where a plan that brands have is gone.
    """
    async with engine.begin() as connection:
        before = await licences.lock_plans(connection)
        changed = {name: slugs for name, slugs in plans.items() if before.get(name) != slugs}
        gone = before.keys() - plans.keys()
        named = frozenset[str]().union(*plans.values())
        followers = await licences.load_followers(connection, changed.keys() | gone)
        if problem := problem_of(
            plans,
            unknown=named - await licences.load_known(connection, named),
            missed={one for licence in followers.values() for one in licence.plans} & gone,
        ):
            raise PlanError(problem)
        await licences.save_plans(connection, changed, gone)
        moved = {
            brand: replace(licence, covers=covers)
            for brand, licence in followers.items()
            if (covers := covered(licence.extensions, licence.plans, plans)) != licence.covers
        }
        if moved:
            await licences.save_by_brand(connection, moved)
            await announce(
                connection, [Announcement(one.event, brand) for brand, one in moved.items()]
            )
    return len(moved)
