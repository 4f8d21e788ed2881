"""Brings a service's database to what its code expects: tables, who may read them, and days."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.access import VERSION_TABLES, grant_access
from shared.database.engines import create_engine
from shared.messaging.days import keep_days
from shared.settings import DatabaseSettings

_ROOT = Path(__file__).parents[2]
_ENVIRONMENT = Path(__file__).with_name("environment")
_LOCK = 0x6B657974_0002
"""The advisory lock of whoever migrates a database."""
_NOT_OURS = re.compile(rf"inbox_\d{{8}}|{'|'.join(VERSION_TABLES)}")


@dataclass(frozen=True, slots=True)
class Migrations:
    """A folder of version files with a version table of its own."""

    versions: Path
    version_table: str


MESSAGING = Migrations(_ROOT / "shared/messaging/migrations/versions", VERSION_TABLES[0])


def migrations_of(service: str) -> Migrations:
    """Return those of a service, named as in its topics: `credential-vault`."""
    folder = _ROOT / "services" / service.replace("-", "_") / "migrations" / "versions"
    if not folder.is_dir():
        raise FileNotFoundError(f"The service {service} has no migrations: {folder} is missing.")
    return Migrations(folder, VERSION_TABLES[1])


async def upgrade(settings: DatabaseSettings, service: str) -> None:
    """Apply what is missing: the machinery's migrations, then the service's; then grants.

    Safe to call at every start, from several processes at once.
    """
    await migrate(settings, [MESSAGING, migrations_of(service)])


async def migrate(
    settings: DatabaseSettings, migrations: Sequence[Migrations], metadata: MetaData | None = None
) -> None:
    """Apply these migrations, create what is missing of `metadata` (for tests), grant access."""
    engine = create_engine(settings, "owner", connections=1)
    try:
        async with engine.connect() as connection, connection.begin():
            # Nobody reads a feed meanwhile, and a large table takes its time.
            await connection.execute(text("SET LOCAL transaction_timeout = 0"))
            await connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK})
            for one in migrations:
                await connection.run_sync(_upgrade, one)
            if metadata is not None:
                await connection.run_sync(metadata.create_all)
            await grant_access(connection, settings)
            await keep_days(connection, datetime.now(UTC))
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, migrations: Migrations) -> None:
    config = Config()
    config.set_main_option("script_location", str(_ENVIRONMENT))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(migrations.versions))
    config.attributes["connection"] = connection
    config.attributes["version_table"] = migrations.version_table
    command.upgrade(config, "head")


async def differences(connection: AsyncConnection, *metadata: MetaData) -> list[Any]:
    """Return what these metadata say and the database does not, and the reverse."""
    return await connection.run_sync(_differences, metadata)


def _differences(connection: Connection, metadata: Sequence[MetaData]) -> list[Any]:
    def is_compared(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or not _NOT_OURS.fullmatch(name or "")

    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "compare_server_default": True,
            "include_name": is_compared,
        },
    )
    # Alembic takes several, and says that it takes one.
    return compare_metadata(context, cast("MetaData", list(metadata)))
