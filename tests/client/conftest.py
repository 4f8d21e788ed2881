"""The journeys of this folder share one world, and each has a brand to itself."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.client.world import Brand, World, given_brand, running_world


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with running_world() as running:
        yield running


@pytest.fixture
async def brand(world: World, tmp_path: Path) -> AsyncIterator[Brand]:
    async with given_brand(world, tmp_path) as given:
        yield given
