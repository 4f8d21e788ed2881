"""Loads what a rule needs and saves what it decided, any number at once."""

from collections.abc import Iterable, Mapping

from keyturn_contracts.catalog import Manifest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.rules.extension import Extension
from services.catalog.tables import ExtensionRow
from shared.database.rows import Rows

_STATE = (ExtensionRow.slug, ExtensionRow.version, ExtensionRow.manifest)
_SLUGS = Rows(ExtensionRow.slug)
_LOCK_EXTENSIONS = (
    select(*_STATE)
    .where(ExtensionRow.slug == _SLUGS.c.slug)
    .order_by(ExtensionRow.slug)
    .with_for_update(key_share=True, of=ExtensionRow)
)
_EXTENSIONS = Rows(*_STATE)
_SAVE_EXTENSIONS = _EXTENSIONS.upsert_into(ExtensionRow)
_PUBLISHING = "catalog.publishing"


async def lock_publishing(connection: AsyncConnection) -> None:
    """Wait for whoever else publishes: rows that are not there yet cannot be locked."""
    await connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(_PUBLISHING))))


async def lock_extensions(
    connection: AsyncConnection, slugs: Iterable[str]
) -> dict[str, Extension]:
    """Return those that exist, held until the transaction ends; locked in the order of slugs."""
    rows = await connection.execute(_LOCK_EXTENSIONS, _SLUGS.of((slug,) for slug in slugs))
    return {
        slug: Extension(manifest=Manifest.model_validate(manifest), version=version)
        for slug, version, manifest in rows
    }


async def save_extensions(connection: AsyncConnection, changed: Mapping[str, Extension]) -> None:
    rows = (
        (slug, extension.version, extension.manifest.model_dump(mode="json", exclude_none=True))
        for slug, extension in sorted(changed.items())
    )
    await connection.execute(_SAVE_EXTENSIONS, _EXTENSIONS.of(rows))
