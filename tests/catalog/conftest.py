"""The catalog's database, with a twin in it that no test may change."""

from collections.abc import AsyncIterator

import pytest
from keyturn_contracts.catalog import ExtensionPublished
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.jobs import MANIFESTS, read_manifests
from services.catalog.tables import Base
from shared.messaging.outbox import Announcement, announce
from tests.batches import Database, service_database
from tests.running_stack import RunningStack


async def fill(connection: AsyncConnection, brand: str) -> None:
    """Announce the same extension in the brand: extensions themselves belong to no brand."""
    (relay,) = read_manifests(MANIFESTS)
    await announce(connection, [Announcement(ExtensionPublished(manifest=relay, version=1), brand)])


@pytest.fixture
async def database(stack: RunningStack) -> AsyncIterator[Database]:
    async with service_database(stack, "catalog", Base.metadata, fill) as database:
        yield database
