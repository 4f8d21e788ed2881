"""The database of the toy service, with a twin in it that no test may change."""

from collections.abc import AsyncIterator

import pytest
from keyturn_contracts.message import Key
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database.migrate import MESSAGING
from shared.messaging.batch import apply_batch
from tests.batches import Database, asked, news, service_database
from tests.messaging import toy
from tests.running_stack import RunningStack


async def fill(connection: AsyncConnection, brand: str) -> None:
    """Put in the ids that the tests use themselves, and something of every kind about them."""
    waiting = toy.Counter(total=7, is_weighed=True)
    await toy.save_counters(
        connection, {Key(brand, "counters", one): waiting for one in ("mail", "chat", "mail-1")}
    )
    await apply_batch(
        connection,
        toy.handlers,
        [
            news(toy.Opened(counter_id="mail"), 1, brand=brand),
            asked(toy.Add(counter_id="mail", amount=1), brand=brand),
            asked(toy.Weigh(counter_id="mail"), brand=brand),
        ],
    )


@pytest.fixture
async def database(stack: RunningStack) -> AsyncIterator[Database]:
    async with service_database(
        stack, "catalog", toy.Base.metadata, fill, migrations=[MESSAGING]
    ) as database:
        yield database


@pytest.fixture
def engine(database: Database) -> AsyncEngine:
    return database.writer
