"""The newest event of each of our own aggregates, and with it the next sequence."""

from collections.abc import Sequence
from typing import NamedTuple

from keyturn_contracts.message import Key
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.rows import Rows
from shared.messaging.tables import EpochRow, LatestRow

_KEYS = Rows(LatestRow.brand_id, LatestRow.kind, LatestRow.subject_id)
_LOAD = select(
    _KEYS.c.brand_id,
    _KEYS.c.kind,
    _KEYS.c.subject_id,
    LatestRow.epoch,
    LatestRow.sequence,
    select(EpochRow.number).scalar_subquery(),
).join_from(
    _KEYS.table,
    LatestRow,
    (LatestRow.brand_id == _KEYS.c.brand_id)
    & (LatestRow.kind == _KEYS.c.kind)
    & (LatestRow.subject_id == _KEYS.c.subject_id),
    isouter=True,
)
_EVENTS = Rows(
    LatestRow.brand_id,
    LatestRow.kind,
    LatestRow.subject_id,
    LatestRow.epoch,
    LatestRow.sequence,
    LatestRow.headers,
    LatestRow.value,
)
_SAVE = _EVENTS.upsert_into(LatestRow, newest_by=[LatestRow.epoch, LatestRow.sequence])


class SequenceTaken(Exception):  # noqa: N818  the transaction is only to be run again
    """Another transaction has announced of the same aggregate meanwhile: run this one again.

    Whoever announces holds the lock of the aggregate; then this does not happen.
    """


class Place(NamedTuple):
    """Where an event stands in its aggregate's history."""

    epoch: int
    sequence: int


class Written(NamedTuple):
    """An event as it goes on the wire."""

    key: Key
    place: Place
    headers: str
    value: bytes


async def next_places(connection: AsyncConnection, keys: Sequence[Key]) -> list[Place]:
    """Return the place of each of these events; a key that is named twice takes two.

    In a new epoch sequences begin at 1 again.
    """
    current: dict[Key, Place] = {}
    found = await connection.execute(_LOAD, _KEYS.of(sorted(set(keys))))
    for brand, kind, subject_id, epoch, sequence, our_epoch in found:
        key = Key(brand, kind, subject_id)
        current[key] = Place(our_epoch, sequence if epoch == our_epoch else 0)
    places: list[Place] = []
    for key in keys:
        current[key] = current[key]._replace(sequence=current[key].sequence + 1)
        places.append(current[key])
    return places


async def save(connection: AsyncConnection, written: Sequence[Written]) -> None:
    """Keep the last of each key; `SequenceTaken` where somebody else was quicker."""
    newest = {one.key: one for one in written}
    rows = [(*key, *one.place, one.headers, one.value) for key, one in sorted(newest.items())]
    saved = await connection.execute(_SAVE, _EVENTS.of(rows))
    if saved.rowcount < len(rows):
        raise SequenceTaken
