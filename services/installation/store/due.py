"""What is to be looked at: noted in the transaction of its cause, taken under the right locks.

Locks are taken in one order: copies of news, then these rows, then, by commands, installations; by
jobs, installations and then only such of these rows as nobody holds. So nobody waits in a circle.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Literal

from keyturn_contracts.ids import PLATFORM
from keyturn_contracts.message import Key
from sqlalchemy import (
    Boolean,
    DateTime,
    Integer,
    Interval,
    Text,
    bindparam,
    delete,
    func,
    literal,
    select,
    union,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.installation.store.keys import key_of
from services.installation.tables import DueRow, ExtensionRow, InstallationRow, LicenceRow
from shared.database.rows import Rows

Cause = Literal["account", "credential-vault", "workflow", "access", "change", "deadline", "again"]
"""Why one installation is looked at: the news of an account, what a participant said of its part of
an uninstallation, its own change by a command, a time that has come, or that it failed."""

_EXTENSION = "extension"
_LICENCE = "licence"
_SPREAD = "spread"
_EVERY_EXTENSION = ""

_KEYS = Rows(DueRow.brand_id, DueRow.extension)
_KEY = [DueRow.brand_id, DueRow.extension, DueRow.cause]
_COLUMNS = [*(one.key for one in _KEY), DueRow.due_at.key]
_MOST = bindparam("most", type_=Integer)


def _note(rows: Any) -> Any:
    """Return the statement that notes these rows.

    One that is there is written too: who is about to take it away has it then, and not before.
    """
    given = insert(DueRow).from_select(_COLUMNS, rows)
    return given.on_conflict_do_update(
        index_elements=_KEY, set_={DueRow.due_at: given.excluded.due_at}
    )


_CAUSE = bindparam("noted_cause", type_=Text)
_NOTE = _note(select(_KEYS.c.brand_id, _KEYS.c.extension, _CAUSE, func.now()))
_AGAIN = _note(
    select(
        _KEYS.c.brand_id,
        _KEYS.c.extension,
        _CAUSE,
        func.now() + bindparam("pause", type_=Interval),
    )
)
_TIMES = Rows(DueRow.brand_id, DueRow.extension, DueRow.due_at)
_NOTE_TIMES = _note(select(_TIMES.c.brand_id, _TIMES.c.extension, _CAUSE, _TIMES.c.due_at))


def _taken(wanted: Any) -> Any:
    """Return the statement that takes away what nobody else holds, and says what it was."""
    mine = wanted.with_for_update(skip_locked=True, of=DueRow).cte("mine")
    return (
        delete(DueRow)
        .where(*(one == mine.c[one.key] for one in _KEY))
        .returning(DueRow.brand_id, DueRow.extension)
    )


_IS_DUE = DueRow.due_at <= func.now()
_IS_TO_SPREAD = DueRow.cause.in_((_EXTENSION, _LICENCE))
_TAKE_TO_SPREAD = _taken(
    select(*_KEY).where(_IS_DUE, _IS_TO_SPREAD).order_by(DueRow.due_at, *_KEY).limit(_MOST)
)
_TAKE = _taken(
    select(*_KEY).where(
        _IS_DUE,
        ~_IS_TO_SPREAD,
        DueRow.brand_id == _KEYS.c.brand_id,
        DueRow.extension == _KEYS.c.extension,
    )
)
_FIND = (
    select(DueRow.brand_id, DueRow.extension)
    .where(_IS_DUE, ~_IS_TO_SPREAD)
    .group_by(DueRow.brand_id, DueRow.extension)
    .order_by(func.min(DueRow.due_at), DueRow.brand_id, DueRow.extension)
    .limit(_MOST)
)

_SLUGS = Rows(ExtensionRow.slug, name="slugs")
_BRANDS = Rows(LicenceRow.brand_id, name="brands")
_IS_LICENSED = LicenceRow.extensions.expression.op("?", return_type=Boolean())(ExtensionRow.slug)
_OFFERED = select(LicenceRow.brand_id, ExtensionRow.slug).join_from(
    LicenceRow, ExtensionRow, _IS_LICENSED & ExtensionRow.is_offered
)
_IS_ALIVE = InstallationRow.state.in_(("installed", "suspended"))
_CONCERNED = union(
    select(InstallationRow.brand_id, InstallationRow.extension).where(
        _IS_ALIVE, InstallationRow.extension == _SLUGS.c.slug
    ),
    _OFFERED.where(ExtensionRow.slug == _SLUGS.c.slug),
    select(InstallationRow.brand_id, InstallationRow.extension).where(
        _IS_ALIVE, InstallationRow.brand_id == _BRANDS.c.brand_id
    ),
    _OFFERED.where(LicenceRow.brand_id == _BRANDS.c.brand_id),
).subquery("concerned")
_SPREAD_OUT = _note(
    select(
        _CONCERNED.c.brand_id,
        _CONCERNED.c.extension,
        literal(_SPREAD, Text),
        func.now(type_=DateTime(timezone=True)),
    ).order_by(_CONCERNED.c.brand_id, _CONCERNED.c.extension)
)


async def note(connection: AsyncConnection, keys: Iterable[Key], cause: Cause) -> None:
    """Have these installations looked at once this transaction has committed."""
    if pairs := _pairs(keys):
        await connection.execute(_NOTE, _KEYS.of(pairs) | {"noted_cause": cause})


async def note_times(
    connection: AsyncConnection, times: Iterable[tuple[Key, datetime]], cause: Cause
) -> None:
    """Have each of these looked at when its time has come."""
    rows = sorted((key.brand, key.id, at) for key, at in times)
    await connection.execute(_NOTE_TIMES, _TIMES.of(rows) | {"noted_cause": cause})


async def note_again(connection: AsyncConnection, keys: Iterable[Key], pause: timedelta) -> None:
    """Have those that failed looked at after a pause."""
    await connection.execute(
        _AGAIN, _KEYS.of(_pairs(keys)) | {"noted_cause": "again", "pause": pause}
    )


async def note_extensions(connection: AsyncConnection, slugs: Iterable[str]) -> None:
    """Have all installations of these extensions looked at, and all that ought to be there."""
    rows = [(PLATFORM, one) for one in sorted(set(slugs))]
    await connection.execute(_NOTE, _KEYS.of(rows) | {"noted_cause": _EXTENSION})


async def note_licences(connection: AsyncConnection, brands: Iterable[str]) -> None:
    """Have everything of these brands looked at that their licence brings or takes."""
    rows = [(one, _EVERY_EXTENSION) for one in sorted(set(brands))]
    await connection.execute(_NOTE, _KEYS.of(rows) | {"noted_cause": _LICENCE})


async def spread(connection: AsyncConnection, most: int) -> int:
    """Note every installation that news about an extension or a licence concerns.

    Apart from the news: whatever a command decided by the older one has committed by now, or notes
    itself. Returns how many such news there were.
    """
    rows = (await connection.execute(_TAKE_TO_SPREAD, {"most": most})).all()
    if rows:
        slugs = sorted(row.extension for row in rows if row.brand_id == PLATFORM)
        brands = sorted(row.brand_id for row in rows if row.extension == _EVERY_EXTENSION)
        given = _SLUGS.of((one,) for one in slugs) | _BRANDS.of((one,) for one in brands)
        await connection.execute(_SPREAD_OUT, given)
    return len(rows)


async def find(connection: AsyncConnection, most: int) -> list[Key]:
    """Return installations that are to be looked at, the longest due first; nothing is locked."""
    rows = await connection.execute(_FIND, {"most": most})
    return [key_of(*row) for row in rows]


async def take(connection: AsyncConnection, keys: Iterable[Key]) -> set[Key]:
    """Take away what is noted of these, under their locks; return those that are ours to look at.

    What somebody is just noting stays, and is found again when he has committed.
    """
    rows = await connection.execute(_TAKE, _KEYS.of(_pairs(keys)))
    return {key_of(*row) for row in rows}


def _pairs(keys: Iterable[Key]) -> list[tuple[object, ...]]:
    return sorted({(key.brand, key.id) for key in keys})
