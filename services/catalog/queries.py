"""Reads for people: what there is to connect to."""

from keyturn_contracts.catalog import Manifest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.rules.extension import Extension
from services.catalog.tables import ExtensionRow

_STATE = select(ExtensionRow.version, ExtensionRow.manifest)


async def load_extensions(connection: AsyncConnection) -> list[Extension]:
    """Return all of them, in the order of slugs: the platform offers tens, never thousands."""
    rows = await connection.execute(_STATE.order_by(ExtensionRow.slug))
    return [
        Extension(manifest=Manifest.model_validate(manifest), version=version)
        for version, manifest in rows
    ]


async def load_extension(connection: AsyncConnection, slug: str) -> Extension | None:
    row = (await connection.execute(_STATE.where(ExtensionRow.slug == slug))).one_or_none()
    if row is None:
        return None
    version, manifest = row
    return Extension(manifest=Manifest.model_validate(manifest), version=version)
