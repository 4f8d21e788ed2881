"""The migrations make what the code expects, of what there is too."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from services.access.tables import Base
from shared.database.engines import create_engine
from shared.database.migrate import (
    MESSAGING,
    Migrations,
    differences,
    migrate,
    migrations_of,
    upgrade,
)
from shared.messaging.tables import Base as MessagingBase
from shared.settings import DatabaseRole, DatabaseSettings
from tests.running_stack import RunningStack


@pytest.fixture
async def settings(stack: RunningStack) -> AsyncIterator[DatabaseSettings]:
    settings = stack.new_database("access")
    yield settings
    stack.drop_database(settings)


async def test_the_migrations_make_what_the_tables_say(settings: DatabaseSettings) -> None:
    await upgrade(settings, "access")
    await upgrade(settings, "access")

    assert await is_what_the_tables_say(settings)


@pytest.mark.parametrize("has_some_already", [False, True])
async def test_a_list_that_had_begun_comes_together_from_the_migration_on(
    settings: DatabaseSettings, tmp_path: Path, *, has_some_already: bool
) -> None:
    ours = migrations_of("access")
    shutil.copy(ours.versions / "0001_access.py", tmp_path)
    await migrate(settings, [MESSAGING, Migrations(tmp_path, ours.version_table)])
    await do(settings, "INSERT INTO brand VALUES ('acme', true, 'flag'), ('zoo', false, 'suspend')")
    if has_some_already:
        await do(settings, "ALTER TABLE change DROP COLUMN revision", "owner")
        await do(settings, "ALTER TABLE brand ADD COLUMN gathers_until timestamptz", "owner")

    await upgrade(settings, "access")

    assert await do(
        settings,
        "SELECT brand_id, on_loss, gathers_until - now() BETWEEN interval '6 days 23 hours' AND"
        " interval '7 days' FROM brand ORDER BY 1",
    ) == [("acme", "flag", True), ("zoo", "suspend", None)]
    assert await is_what_the_tables_say(settings)
    # What has changed is noted before it and after, and draws a number that nobody keeps.
    before = await do(settings, "SELECT last_value FROM outbox_id_seq")
    await do(settings, "UPDATE brand SET on_loss = 'flag' WHERE brand_id = 'zoo'")
    assert await do(settings, "SELECT last_value FROM outbox_id_seq") != before
    noted = await do(settings, "SELECT brand_id, count(*) FROM change GROUP BY 1 ORDER BY 1")
    assert noted == [("acme", 2), ("zoo", 2)]


async def is_what_the_tables_say(settings: DatabaseSettings) -> bool:
    engine = create_engine(settings, "owner")
    async with engine.connect() as connection:
        found = await differences(connection, Base.metadata, MessagingBase.metadata)
    await engine.dispose()
    return found == []


async def do(
    settings: DatabaseSettings, statement: str, role: DatabaseRole = "writer"
) -> list[tuple[object, ...]]:
    """Return the rows that a statement gives."""
    engine = create_engine(settings, role)
    async with engine.begin() as connection:
        found = await connection.execute(text(statement))
        rows = [tuple(row) for row in found] if found.returns_rows else []
    await engine.dispose()
    return rows
