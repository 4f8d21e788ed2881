"""What a service test does: tell, start again, and read what came of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keyturn_contracts.catalog import ExtensionChanged, LicenceChanged, Manifest
from keyturn_contracts.message import CommandApplied
from sqlalchemy import select

from services.catalog.handlers import handlers_of
from services.catalog.jobs import follow_plans, publish_manifests
from services.catalog.rules.extension import Platform
from services.catalog.tables import EditionRow, ExtensionRow
from tests.catalog.given import publication
from tests.world import ServiceWorld

HANDLERS = handlers_of(Platform(name="Keyturn"))


@dataclass
class World(ServiceWorld):
    """The catalog, in a database with a twin brand in it."""

    handlers = HANDLERS

    async def given(self, *manifests: Manifest) -> None:
        """Have extensions published, and forget what was announced of it."""
        for one in await self.answers(*map(publication, manifests)):
            assert isinstance(one, CommandApplied), one
        await self.announced()

    async def start(self, *manifests: Manifest) -> int:
        return await publish_manifests(self.database.writer, manifests)

    async def plan(self, plans: Mapping[str, Iterable[str]]) -> int:
        """Start with these plans."""
        return await follow_plans(
            self.database.writer, {name: frozenset(slugs) for name, slugs in plans.items()}
        )

    async def extension_events(self) -> list[ExtensionChanged]:
        return [one for _, one in await self.announced() if isinstance(one, ExtensionChanged)]

    async def licence_events(self) -> dict[str, LicenceChanged]:
        """Return the licences that were announced, by record key; each once."""
        found = [
            (key, one) for key, one in await self.announced() if isinstance(one, LicenceChanged)
        ]
        assert len(dict(found)) == len(found)
        return dict(found)

    async def versions(self) -> dict[str, int]:
        async with self.database.writer.connect() as connection:
            rows = await connection.execute(select(ExtensionRow.slug, ExtensionRow.version))
            return {row.slug: row.version for row in rows}

    async def editions(self, slug: str) -> list[tuple[int, Manifest, str | None]]:
        query = (
            select(EditionRow.version, EditionRow.manifest, EditionRow.published_by)
            .where(EditionRow.slug == slug)
            .order_by(EditionRow.version)
        )
        async with self.database.writer.connect() as connection:
            return [
                (row.version, Manifest.model_validate(row.manifest), row.published_by)
                for row in await connection.execute(query)
            ]
