"""Extensions and their editions, locked and saved."""

from collections.abc import Iterable, Mapping

from keyturn_contracts.catalog import Manifest
from keyturn_contracts.ids import PLATFORM
from keyturn_contracts.message import Key
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.rules.extension import Extension
from services.catalog.tables import EditionRow, ExtensionRow
from shared.database.rows import Rows

_STATE = (
    ExtensionRow.slug,
    ExtensionRow.version,
    ExtensionRow.state,
    ExtensionRow.is_certified,
    ExtensionRow.retired_because,
    ExtensionRow.manifest,
    ExtensionRow.published_at,
)
_SLUGS = Rows(ExtensionRow.slug)
_LOCK_EXTENSIONS = (
    select(*_STATE)
    .where(ExtensionRow.slug == _SLUGS.c.slug)
    .order_by(ExtensionRow.slug)
    .with_for_update(key_share=True, of=ExtensionRow)
)
_NEWEST_REVISION = select(func.coalesce(func.max(ExtensionRow.revision), 0))
_EXTENSIONS = Rows(*_STATE, ExtensionRow.revision)
_SAVE_EXTENSIONS = _EXTENSIONS.upsert_into(ExtensionRow)
_EDITIONS = Rows(
    EditionRow.slug,
    EditionRow.version,
    EditionRow.manifest,
    EditionRow.published_at,
    EditionRow.published_by,
)
_SAVE_EDITIONS = _EDITIONS.insert_into(EditionRow)
_LOAD_SHIPPED = (
    select(EditionRow.slug, EditionRow.manifest)
    .where(EditionRow.slug == _SLUGS.c.slug, EditionRow.published_by.is_(None))
    .ext(distinct_on(EditionRow.slug))
    .order_by(EditionRow.slug, EditionRow.version.desc())
)
_PUBLISHING = "catalog.publishing"


async def lock_extensions(
    connection: AsyncConnection, asked: Iterable[Key]
) -> dict[Key, Extension]:
    """Return those that exist, held until the transaction ends; locked in the order of slugs.

    One transaction at a time gets past this: rows that are not there yet cannot be locked, and
    revisions are to rise in the order of commits. Extensions belong to no brand: a key of any
    other brand than the platform finds nothing and holds nothing.
    """
    slugs = sorted({key.id for key in asked if key.brand == PLATFORM})
    if not slugs:
        return {}
    await connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(_PUBLISHING))))
    rows = await connection.execute(_LOCK_EXTENSIONS, _SLUGS.of((slug,) for slug in slugs))
    return {
        key_of(row.slug): Extension(
            manifest=Manifest.model_validate(row.manifest),
            version=row.version,
            published_at=row.published_at,
            state=row.state,
            is_certified=row.is_certified,
            retired_because=row.retired_because,
        )
        for row in rows
    }


async def save_extensions(connection: AsyncConnection, changed: Mapping[Key, Extension]) -> None:
    """Save them, and each edition that is new; under the lock that `lock_extensions` took."""
    revision = (await connection.execute(_NEWEST_REVISION)).scalar_one() + 1
    rows = (
        (
            key.id,
            one.version,
            one.state,
            one.is_certified,
            one.retired_because,
            _as_json(one.manifest),
            one.published_at,
            revision,
        )
        for key, one in sorted(changed.items(), key=lambda item: item[0])
    )
    await connection.execute(_SAVE_EXTENSIONS, _EXTENSIONS.of(rows))
    editions = [
        (key.id, one.version, _as_json(one.manifest), one.published_at, one.published_by)
        for key, extension in sorted(changed.items(), key=lambda item: item[0])
        for one in extension.new
    ]
    if editions:
        await connection.execute(_SAVE_EDITIONS, _EDITIONS.of(editions))


async def load_shipped(connection: AsyncConnection, slugs: Iterable[str]) -> dict[str, Manifest]:
    """Return of each slug the newest manifest that the catalog came with."""
    rows = await connection.execute(_LOAD_SHIPPED, _SLUGS.of((slug,) for slug in slugs))
    return {slug: Manifest.model_validate(manifest) for slug, manifest in rows}


def key_of(slug: str) -> Key:
    return Key(PLATFORM, "extensions", slug)


def _as_json(manifest: Manifest) -> object:
    return manifest.model_dump(mode="json", exclude_none=True)
