"""The access service's database, with a twin brand in it that no test may change."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from keyturn_contracts.message import Command, CommandApplied, Event
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.app import NAME
from services.access.handlers import handlers
from services.access.tables import Base
from shared.messaging.batch import apply_batch
from shared.messaging.context import Context
from shared.messaging.issuers import Issuers
from tests.access import given
from tests.access.given import LOUD, RELAY, STRICT
from tests.access.remembering import OwnRedis, own_redis
from tests.access.world import World
from tests.batches import Database, asked, news, service_database
from tests.running_stack import RunningStack

FAR = datetime(2126, 1, 1, tzinfo=UTC)


class Filling:
    """Does to a brand what the tests do to theirs, in one transaction."""

    def __init__(self, connection: AsyncConnection, brand: str) -> None:
        self._connection = connection
        self._brand = brand

    async def hear(self, *events: Event) -> None:
        await apply_batch(
            self._connection, handlers, [news(one, 1, brand=self._brand) for one in events]
        )

    async def ask(self, *commands: Command) -> None:
        for one in commands:
            turn = asked(one, by="root", brand=self._brand, roles=("administrator",))
            batch = await apply_batch(self._connection, handlers, [turn])
            [(_, outcome)] = batch.answers
            assert isinstance(outcome, CommandApplied), outcome
            assert outcome.changed

    async def settle(self) -> None:
        """Leave nothing that a job would find."""
        for change in (
            "UPDATE account SET is_created = true, is_to_own = false WHERE brand_id = :brand",
            "UPDATE member SET is_to_end = false WHERE brand_id = :brand",
        ):
            await self._connection.execute(text(change), {"brand": self._brand})


async def fill(connection: AsyncConnection, brand: str) -> None:
    """Give a brand what the tests are about: the same accounts, members and extensions."""
    brands = Filling(connection, brand)
    await brands.hear(
        given.account("mail"),
        given.account("chat", STRICT),
        given.account("relay", RELAY),
        given.installation(LOUD),
        given.installation(STRICT),
        given.installation(RELAY, party="first"),
    )
    await brands.settle()
    await brands.ask(
        given.grant("root", level="owner"),
        given.grant("ada", level="owner"),
        given.grant("bob", "carol", until=FAR),
        given.grant_all(),
        given.grant("root", account="chat", level="owner"),
        given.grant("root", account="relay", level="owner"),
        given.enable("ada", "bob"),
        given.enable(extension=STRICT),
        given.administrators("root", "ada"),
        given.register("bob", "carol", "dave"),
        given.remove("dave"),
        given.policy("flag"),
    )
    await brands.settle()


@pytest.fixture
async def database(stack: RunningStack) -> AsyncIterator[Database]:
    async with service_database(stack, NAME, Base.metadata, fill) as database:
        yield database


@pytest.fixture
def context(database: Database, stack: RunningStack, tmp_path: Path) -> Context:
    return Context(
        settings=stack.settings_of(NAME),
        writer=database.writer,
        reader=database.reader,
        redis=None,
        issuers=Issuers(tmp_path),
    )


@pytest.fixture
async def world(database: Database, context: Context) -> World:
    """Return a brand of which nothing was said yet, but what is installed."""
    world = World(database, context)
    await world.hear(
        given.installation(LOUD),
        given.installation(STRICT),
        given.installation(RELAY, party="first"),
    )
    return world


@pytest.fixture
async def shared(world: World) -> World:
    """Return a brand in which ada owns mail, and bob may use it."""
    await world.account("mail", "ada", extension=RELAY)
    await world.apply(given.grant("bob"), by="ada")
    return world


@pytest.fixture
async def redis() -> AsyncIterator[OwnRedis]:
    async with own_redis() as own:
        yield own
