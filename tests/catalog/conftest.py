"""The catalog's database, with a twin brand in it that no test may change."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.settings import CatalogSettings
from services.catalog.store.licence import save_plans
from services.catalog.tables import Base, EditionRow, ExtensionRow, PlanRow
from shared.messaging.batch import apply_batch
from shared.messaging.tables import LatestRow, OutboxRow
from tests.batches import Database, service_database
from tests.catalog.given import RELAY, installation, licence, publication, third_party
from tests.catalog.http import Client, running_client
from tests.catalog.world import HANDLERS, World
from tests.running_stack import RunningStack


async def fill(connection: AsyncConnection, brand: str) -> None:
    """Give a brand what the tests are about: a licence with a plan, and installations.

    Extensions and plans belong to no brand: those that the licence needs go again, and the tests
    begin without any.
    """
    await save_plans(connection, {"the-twins": frozenset({"smtp-relay"})}, ())
    batch = await apply_batch(
        connection,
        HANDLERS,
        [
            publication(RELAY),
            publication(third_party()),
            licence("parcels", plans=["the-twins"], brand=brand),
            installation("parcels", brand=brand),
            installation("smtp-relay", brand=brand),
        ],
    )
    assert [outcome.outcome for _, outcome in batch.answers] == ["applied"] * 3
    for row in (ExtensionRow, EditionRow, PlanRow):
        await connection.execute(delete(row))
    await connection.execute(delete(LatestRow).where(LatestRow.brand_id == "platform"))
    await connection.execute(delete(OutboxRow).where(OutboxRow.key.startswith("platform/")))


@pytest.fixture
async def database(stack: RunningStack) -> AsyncIterator[Database]:
    async with service_database(stack, "catalog", Base.metadata, fill) as database:
        yield database


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


SETTINGS = CatalogSettings.model_validate(
    {
        "platform": "Turnstile",
        "licence_contact": "sales@turnstile.example",
        "support": {"name": "Turnstile support", "email": "support@turnstile.example"},
    }
)


@pytest.fixture
async def client(stack: RunningStack, world: World, tmp_path: Path) -> AsyncIterator[Client]:
    async with running_client(stack, world, tmp_path, SETTINGS) as client:
        yield client
