"""Keeps the shelf as new as the database: what has changed since is read before it is looked at."""

import asyncio

from keyturn_contracts.catalog import Manifest
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.queries import extension as queries
from services.catalog.rules.shelf import Shelf, Sight, card_of
from services.catalog.settings import CatalogSettings

_READ_AT_ONCE = 20


class Shelving:
    """The shelf of one process."""

    def __init__(self, settings: CatalogSettings) -> None:
        self._settings = settings
        self._shelf = Shelf()
        self._revision = 0
        """Of the newest change that is on the shelf."""
        self._reading = asyncio.Lock()

    async def look(
        self, connection: AsyncConnection, brand: str, *, sees_all: bool
    ) -> tuple[Shelf, Sight]:
        """Return the shelf with everything on it that was committed, and what the brand sees."""
        revision, sight = await queries.load_sight(connection, brand, sees_all=sees_all)
        if revision > self._revision:
            async with self._reading:
                await self._read(connection)
        return self._shelf, sight

    async def fill(self, connection: AsyncConnection) -> None:
        """Put everything on the shelf before anybody looks."""
        async with self._reading:
            await self._read(connection)

    async def _read(self, connection: AsyncConnection) -> None:
        changed = await queries.load_changed(connection, self._revision)
        for number, row in enumerate(changed):
            self._shelf.put(
                card_of(
                    Manifest.model_validate(row.manifest),
                    row.version,
                    row.state,
                    self._settings.support,
                    self._settings.platform,
                )
            )
            if number % _READ_AT_ONCE == 0:
                # Thousands at a first start take a second, which nobody else is to wait for.
                await asyncio.sleep(0)
        self._revision = max((row.revision for row in changed), default=self._revision)
