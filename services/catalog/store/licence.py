"""Licences with the plans that they follow, locked and saved."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from keyturn_contracts.catalog import SetLicence
from keyturn_contracts.message import Command, Key
from sqlalchemy import Row, Text, bindparam, column, delete, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from services.catalog.rules.licence import Desk, Licence, Plans
from services.catalog.tables import ExtensionRow, LicenceRow, PlanRow
from shared.database.rows import Rows
from shared.messaging.envelope import Asked, AskedByKey

_STATE = (
    LicenceRow.brand_id,
    LicenceRow.extensions,
    LicenceRow.plans,
    LicenceRow.covers,
    LicenceRow.set_by,
    LicenceRow.set_at,
)
_BRANDS = Rows(LicenceRow.brand_id)
_LOCK_LICENCES = (
    select(*_STATE)
    .where(LicenceRow.brand_id == _BRANDS.c.brand_id)
    .order_by(LicenceRow.brand_id)
    .with_for_update(key_share=True, of=LicenceRow)
)
_LOAD_FOLLOWERS = (
    select(*_STATE)
    .where(LicenceRow.plans.op("?|")(bindparam("plans", type_=ARRAY(Text()))))
    .order_by(LicenceRow.brand_id)
)
_LICENCES = Rows(*_STATE)
_SAVE_LICENCES = _LICENCES.upsert_into(LicenceRow)

_SLUGS = Rows(ExtensionRow.slug)
_KNOWN = select(ExtensionRow.slug).where(ExtensionRow.slug == _SLUGS.c.slug)

_PLANS = select(PlanRow.name, PlanRow.extensions).order_by(PlanRow.name)
_SHARE_PLANS = _PLANS.with_for_update(read=True)
_LOCK_PLANS = _PLANS.with_for_update()
_NEW_PLANS = Rows(PlanRow.name, PlanRow.extensions)
_SAVE_PLANS = _NEW_PLANS.upsert_into(PlanRow)
_NAMES = Rows(column("name", Text()))
_DROP_PLANS = delete(PlanRow).where(PlanRow.name == _NAMES.c.name)


async def lock_licences(connection: AsyncConnection, asked: AskedByKey) -> dict[Key, Desk]:
    """Return the desk of every brand, held until the transaction ends.

    The plans are held first, shared: whoever changes one waits, and then finds these licences.
    """
    plans = _as_plans((await connection.execute(_SHARE_PLANS)).all())
    known = await load_known(
        connection, {slug for commands in asked.values() for slug in _named(commands)}
    )
    brands = _BRANDS.of((key.brand,) for key in sorted(asked))
    rows = await connection.execute(_LOCK_LICENCES, brands)
    found = {row.brand_id: _licence(row) for row in rows}
    return {
        key: Desk(licence=found.get(key.brand), plans=plans, known=known) for key in sorted(asked)
    }


async def save_licences(connection: AsyncConnection, changed: Mapping[Key, Desk]) -> None:
    await save_by_brand(
        connection,
        {key.brand: desk.licence for key, desk in changed.items() if desk.licence is not None},
    )


async def save_by_brand(connection: AsyncConnection, licences: Mapping[str, Licence]) -> None:
    rows = (
        (brand, [*one.extensions], [*one.plans], [*one.covers], one.set_by, one.set_at)
        for brand, one in sorted(licences.items())
    )
    await connection.execute(_SAVE_LICENCES, _LICENCES.of(rows))


async def load_known(connection: AsyncConnection, slugs: Iterable[str]) -> frozenset[str]:
    """Return those of the slugs that an extension has, retired or not."""
    rows = await connection.scalars(_KNOWN, _SLUGS.of((slug,) for slug in sorted(slugs)))
    return frozenset(rows)


async def lock_plans(connection: AsyncConnection) -> dict[str, frozenset[str]]:
    """Return all plans, held until the transaction ends: no licence is set meanwhile."""
    return _as_plans((await connection.execute(_LOCK_PLANS)).all())


async def save_plans(connection: AsyncConnection, changed: Plans, dropped: Iterable[str]) -> None:
    if changed:
        rows = ((name, sorted(slugs)) for name, slugs in sorted(changed.items()))
        await connection.execute(_SAVE_PLANS, _NEW_PLANS.of(rows))
    await connection.execute(_DROP_PLANS, _NAMES.of((name,) for name in sorted(dropped)))


async def load_followers(connection: AsyncConnection, plans: Iterable[str]) -> dict[str, Licence]:
    """Return, by brand, the licences with any of these plans; held by the lock on the plans."""
    rows = await connection.execute(_LOAD_FOLLOWERS, {"plans": sorted(plans)})
    return {row.brand_id: _licence(row) for row in rows}


def _named(commands: Sequence[Asked[Command]]) -> Iterable[str]:
    for one in commands:
        if isinstance(one.command, SetLicence):
            yield from one.command.extensions


def _licence(row: Row[str, list[str], list[str], list[str], str, datetime]) -> Licence:
    _, extensions, plans, covers, set_by, set_at = row
    return Licence(
        extensions=tuple(extensions),
        plans=tuple(plans),
        covers=tuple(covers),
        set_by=set_by,
        set_at=set_at,
    )


def _as_plans(rows: Iterable[Row[str, list[str]]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(extensions) for name, extensions in rows}
