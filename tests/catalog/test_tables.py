"""The migrations make what the code expects, also of a catalog that published before."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from services.catalog.jobs import publish_manifests
from services.catalog.store.extension import key_of, load_shipped, lock_extensions
from services.catalog.tables import Base
from shared.database.engines import create_engine
from shared.database.migrate import MESSAGING, Migrations, differences, migrate, upgrade
from shared.database.migrate import migrations_of as migrations_of_service
from shared.messaging.tables import Base as MessagingBase
from tests.catalog.given import RELAY
from tests.running_stack import RunningStack


async def test_the_migrations_make_what_the_tables_say(stack: RunningStack) -> None:
    database = stack.new_database("catalog")
    await upgrade(database, "catalog")
    await upgrade(database, "catalog")

    engine = create_engine(database, "owner")
    async with engine.connect() as connection:
        assert await differences(connection, Base.metadata, MessagingBase.metadata) == []
    await engine.dispose()


async def test_what_was_published_before_goes_on_as_it_is(
    stack: RunningStack, tmp_path: Path
) -> None:
    database = stack.new_database("catalog")
    ours = migrations_of_service("catalog")
    shutil.copy(ours.versions / "0001_extensions.py", tmp_path)
    await migrate(database, [MESSAGING, Migrations(tmp_path, ours.version_table)])
    engine = create_engine(database, "writer")
    async with engine.begin() as connection:
        await connection.execute(
            text("INSERT INTO extension VALUES ('smtp-relay', 3, CAST(:manifest AS jsonb))"),
            {"manifest": RELAY.model_dump_json(exclude_none=True)},
        )
    await engine.dispose()

    await upgrade(database, "catalog")
    handled = await publish_manifests(engine, [RELAY])

    async with engine.connect() as connection:
        [(_, extension)] = (await lock_extensions(connection, [key_of("smtp-relay")])).items()
        shipped = await load_shipped(connection, ["smtp-relay"])
    await engine.dispose()
    assert handled == 0
    assert (extension.manifest, extension.version, extension.state) == (RELAY, 3, "published")
    assert extension.published_at <= datetime.now(UTC)
    assert shipped == {"smtp-relay": RELAY}
