"""Installations as people read them, with what was accepted and what the brand changed."""

from collections.abc import Sequence
from typing import Any

from keyturn_contracts.installation import InstallationState
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.installation.tables import ConsentRow, DomainChangeRow, InstallationRow
from shared.database.rows import Rows

AnyRow = Row[*tuple[Any, ...]]

MOST_CHANGES = 100
"""How many of the brand's changes of its domains are shown, the newest first."""

_SLUGS = Rows(InstallationRow.extension)
_CONSENTS = select(
    ConsentRow.id,
    ConsentRow.at,
    ConsentRow.by,
    ConsentRow.digest,
    ConsentRow.review,
    ConsentRow.suffix_list,
).order_by(ConsentRow.at.desc(), ConsentRow.id.desc())
_CHANGES = select(
    DomainChangeRow.rule,
    DomainChangeRow.what,
    DomainChangeRow.at,
    DomainChangeRow.by,
    DomainChangeRow.reason,
    DomainChangeRow.revision,
    DomainChangeRow.suffix_list,
).order_by(DomainChangeRow.id.desc())


async def load_page(
    connection: AsyncConnection,
    brand: str,
    columns: Sequence[Any],
    *,
    state: InstallationState | None,
    after: str,
    limit: int,
) -> Sequence[AnyRow]:
    """Return installations in the order of their extensions, from behind `after`.

    Without a state those that are there; what was uninstalled is found by naming its state.
    """
    # Row-level security lets nothing else through either; two locks are better than one.
    query = select(*columns).where(
        InstallationRow.brand_id == brand, InstallationRow.extension > after
    )
    query = query.where(
        InstallationRow.state != "uninstalled" if state is None else InstallationRow.state == state
    )
    return (await connection.execute(query.order_by(InstallationRow.extension).limit(limit))).all()


async def load_one(
    connection: AsyncConnection, brand: str, columns: Sequence[Any], slug: str
) -> AnyRow | None:
    query = select(*columns).where(
        InstallationRow.brand_id == brand, InstallationRow.extension == slug
    )
    return (await connection.execute(query)).one_or_none()


async def load_some(
    connection: AsyncConnection, brand: str, columns: Sequence[Any], slugs: Sequence[str]
) -> Sequence[AnyRow]:
    """Return those of these extensions that are or were installed."""
    query = select(*columns).where(
        InstallationRow.brand_id == brand, InstallationRow.extension == _SLUGS.c.extension
    )
    return (await connection.execute(query, _SLUGS.of((one,) for one in slugs))).all()


async def load_consents(connection: AsyncConnection, brand: str, slug: str) -> Sequence[AnyRow]:
    """Return every consent to an extension, the newest first."""
    query = _CONSENTS.where(ConsentRow.brand_id == brand, ConsentRow.extension == slug)
    return (await connection.execute(query)).all()


async def load_changes(connection: AsyncConnection, brand: str, slug: str) -> Sequence[AnyRow]:
    """Return the brand's last changes of its domains, the newest first."""
    query = _CHANGES.where(DomainChangeRow.brand_id == brand, DomainChangeRow.extension == slug)
    return (await connection.execute(query.limit(MOST_CHANGES))).all()
