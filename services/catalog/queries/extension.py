"""Extensions as people read them, and what a brand sees of them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.rules.shelf import Sight
from services.catalog.tables import EditionRow, ExtensionRow, InstallationRow, LicenceRow

AnyRow = Row[*tuple[Any, ...]]

MOST_VERSIONS = 100

_REVISION = select(func.max(ExtensionRow.revision)).scalar_subquery()


async def load_sight(
    connection: AsyncConnection, brand: str, *, sees_all: bool
) -> tuple[int, Sight]:
    """Return the newest change of any extension, and what the brand sees; in one statement."""
    covers = select(LicenceRow.covers).where(LicenceRow.brand_id == brand)
    installed = select(func.array_agg(InstallationRow.extension)).where(
        InstallationRow.brand_id == brand, InstallationRow.is_there
    )
    found = await connection.execute(
        select(_REVISION, covers.scalar_subquery(), installed.scalar_subquery())
    )
    revision, covered, there = found.one()
    sight = Sight(
        covers=None if sees_all else frozenset(covered or ()), installed=frozenset(there or ())
    )
    return revision or 0, sight


async def load_changed(connection: AsyncConnection, since: int) -> Sequence[AnyRow]:
    """Return the extensions that have changed since this revision."""
    query = select(
        ExtensionRow.manifest, ExtensionRow.version, ExtensionRow.state, ExtensionRow.revision
    ).where(ExtensionRow.revision > since)
    return (await connection.execute(query)).all()


async def load_extension(connection: AsyncConnection, brand: str, slug: str) -> AnyRow | None:
    """Return an extension, with whether the brand's licence covers it and it is installed."""
    covers = select(LicenceRow.covers.op("?", return_type=Boolean)(slug)).where(
        LicenceRow.brand_id == brand
    )
    installed = select(InstallationRow.is_there).where(
        InstallationRow.brand_id == brand, InstallationRow.extension == slug
    )
    query = select(
        ExtensionRow.manifest,
        ExtensionRow.version,
        ExtensionRow.state,
        ExtensionRow.retired_because,
        ExtensionRow.published_at,
        func.coalesce(covers.scalar_subquery(), False).label("is_covered"),
        func.coalesce(installed.scalar_subquery(), False).label("is_installed"),
    ).where(ExtensionRow.slug == slug)
    return (await connection.execute(query)).one_or_none()


async def load_editions(connection: AsyncConnection, slug: str) -> Sequence[AnyRow]:
    """Return an extension's versions, the newest first, the last `MOST_VERSIONS`."""
    query = (
        select(EditionRow.version, EditionRow.published_at)
        .where(EditionRow.slug == slug)
        .order_by(EditionRow.version.desc())
        .limit(MOST_VERSIONS)
    )
    return (await connection.execute(query)).all()


async def load_edition(connection: AsyncConnection, slug: str, version: int) -> AnyRow | None:
    query = select(EditionRow.manifest, EditionRow.published_at, EditionRow.published_by).where(
        EditionRow.slug == slug, EditionRow.version == version
    )
    return (await connection.execute(query)).one_or_none()
