"""The processes of these tests are killed, so they have a world of their own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.client.world import Brand, World, given_brand, running_world


@pytest.fixture(scope="package")
def world() -> Iterator[World]:
    with running_world() as running:
        yield running


@pytest.fixture
async def brand(world: World, tmp_path: Path) -> AsyncIterator[Brand]:
    async with given_brand(world, tmp_path) as given:
        yield given
