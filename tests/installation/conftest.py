"""The installation service's database, with a twin brand in it that no test may change."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from keyturn_contracts import access, credential_vault, workflow
from keyturn_contracts.catalog import LicenceChanged
from keyturn_contracts.ids import PLATFORM
from keyturn_contracts.message import Command, CommandApplied, Event
from sqlalchemy.ext.asyncio import AsyncConnection

from services.installation.jobs.following import look
from services.installation.store.due import spread
from services.installation.tables import Base
from shared.messaging.batch import apply_batch
from tests.batches import Database, asked, news, service_database
from tests.installation import given
from tests.installation.given import LOUD, NEWS, RELAY, STRICT, WEB
from tests.installation.http import Client, serving
from tests.installation.world import HANDLERS, POLICY, World
from tests.running_stack import RunningStack

OFFERED = (given.LOUD_MAIL, given.STRICT_CHAT, given.SMTP_RELAY, given.WEB_SERVICE, given.NEWS_MAIL)


class Filling:
    """Does to a brand what the tests do to theirs, in one transaction."""

    def __init__(self, connection: AsyncConnection, brand: str) -> None:
        self._connection = connection
        self._brand = brand

    async def hear(self, *events: Event, sequence: int = 1, brand: str | None = None) -> None:
        told = [news(one, sequence, brand=brand or self._brand) for one in events]
        await apply_batch(self._connection, HANDLERS, told)
        await self._follow()

    async def ask(self, *commands: Command) -> Sequence[str]:
        """Apply commands, and return their ids."""
        turns = [asked(one, brand=self._brand, roles=("administrator",)) for one in commands]
        batch = await apply_batch(self._connection, HANDLERS, turns)
        assert all(isinstance(one, CommandApplied) for _, one in batch.answers), batch
        assert len(batch.answers) == len(commands), batch
        await self._follow()
        return [one.id.id for one in turns]

    async def _follow(self) -> None:
        while await spread(self._connection, 100) + (await look(self._connection, POLICY, 100))[0]:
            pass


async def fill(connection: AsyncConnection, brand: str) -> None:
    """Give a brand what the tests are about.

    News of the catalog is about every brand alike: tests of it use what the twin has no more
    (`NEWS`), or never had.
    """
    brands = Filling(connection, brand)
    await brands.hear(*map(given.published, OFFERED), brand=PLATFORM)
    await brands.hear(LicenceChanged(extensions=(LOUD, STRICT, RELAY, WEB, NEWS)))
    _, _, _, _, uninstall_id = await brands.ask(
        given.install(LOUD),
        given.install(STRICT),
        given.add("pictures.example.org"),
        given.install(NEWS),
        given.uninstall(NEWS, force=True),
    )
    await brands.hear(
        given.account("a1"),
        given.account("a2", RELAY, host="mail.example.org", port="25"),
        given.engine("e1", (LOUD, 2, 3)),
        credential_vault.ExtensionCleared(
            extension=NEWS, uninstall_id=uninstall_id, done=True, accounts=0
        ),
        workflow.ExtensionCleared(extension=NEWS, uninstall_id=uninstall_id, done=True, tasks=0),
        access.ExtensionCleared(
            extension=NEWS, uninstall_id=uninstall_id, done=True, grants=0, enablements=0
        ),
    )
    await brands.hear(LicenceChanged(extensions=(LOUD, STRICT, RELAY, WEB)), sequence=2)


@pytest.fixture
async def database(stack: RunningStack) -> AsyncIterator[Database]:
    async with service_database(stack, "installation", Base.metadata, fill) as database:
        yield database


@pytest.fixture
async def world(database: Database) -> World:
    """Return a brand that is licensed for everything, and has installed nothing yet."""
    world = World(database)
    await world.licence(LOUD, STRICT, RELAY, WEB, NEWS)
    await world.events()
    return world


@pytest.fixture
async def client(world: World, stack: RunningStack, tmp_path: Path) -> AsyncIterator[Client]:
    async with serving(stack, world.database, tmp_path) as client:
        yield client
