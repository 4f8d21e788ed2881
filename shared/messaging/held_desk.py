"""What an operator can do about held commands: look at them, have them tried, give them up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from keyturn_contracts.message import Key
from sqlalchemy import BigInteger, Text, Tuple, case, func, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.messaging.envelope import CommandId
from shared.messaging.held import Place, State
from shared.messaging.tables import HeldRow

_SHOWN = select(
    HeldRow.topic,
    HeldRow.partition,
    HeldRow.offset,
    HeldRow.brand_id,
    HeldRow.kind,
    HeldRow.subject_id,
    HeldRow.issuer,
    HeldRow.command_id,
    HeldRow.command,
    HeldRow.state,
    HeldRow.due,
    HeldRow.attempts,
    HeldRow.first_at,
    HeldRow.cause,
    HeldRow.is_dropped,
    func.coalesce(func.octet_length(HeldRow.record_value), 0),
)
_place = tuple_(HeldRow.topic, HeldRow.partition, HeldRow.offset)
_COUNTS = select(HeldRow.state, func.count()).group_by(HeldRow.state)
_IS_FIRST = HeldRow.state != "queued"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCommand:
    """A held command as an operator sees it: nothing of its content."""

    place: Place
    key: Key
    id: CommandId
    command: str
    state: State
    due: datetime | None
    attempts: int
    first_at: datetime
    cause: str
    is_dropped: bool
    """It is to be given up when its turn comes."""
    size: int
    """Of its value, in bytes."""


async def list_held(
    connection: AsyncConnection,
    *,
    limit: int = 100,
    after: Place | None = None,
    state: State | None = None,
) -> list[HeldCommand]:
    """Return held commands in the order of their places, from after this one."""
    query = _SHOWN.order_by(HeldRow.topic, HeldRow.partition, HeldRow.offset).limit(limit)
    if after is not None:
        query = query.where(_place > _literal(after))
    if state is not None:
        query = query.where(HeldRow.state == state)
    return [_shown(row) for row in await connection.execute(query)]


async def find_held_command(connection: AsyncConnection, place: Place) -> HeldCommand | None:
    """Return what is held there, or None."""
    row = (await connection.execute(_SHOWN.where(_place == _literal(place)))).one_or_none()
    return None if row is None else _shown(row)


async def count_held(connection: AsyncConnection) -> dict[State, int]:
    """Count held commands by state, for a metric."""
    counted = {cast("State", state): number for state, number in await connection.execute(_COUNTS)}
    states: tuple[State, ...] = ("waits", "retried", "parked", "queued")
    return {state: counted.get(state, 0) for state in states}


async def retry_held(connection: AsyncConnection, place: Place, now: datetime) -> bool:
    """Make the first of a key due now, as if it had never been tried; tell whether it is one.

    What only queues has its turn when those before it have had theirs.
    """
    retried = (
        update(HeldRow)
        .where(_place == _literal(place), _IS_FIRST)
        .values(state="retried", due=now, attempts=0, cause="by_hand")
    )
    return (await connection.execute(retried)).rowcount > 0


async def drop_held(connection: AsyncConnection, place: Place, now: datetime) -> bool:
    """Give a held command up, at once or when its turn comes; tell whether it is held.

    The consumer does it: it has the entry's `drop` decide what it leaves behind, and its sender is
    told.
    """
    dropped = (
        update(HeldRow)
        .where(_place == _literal(place))
        .values(
            is_dropped=True,
            state=case((_IS_FIRST, "retried"), else_="queued"),
            due=case((_IS_FIRST, now)),
            attempts=0,
            cause="by_hand",
        )
    )
    return (await connection.execute(dropped)).rowcount > 0


def _literal(place: Place) -> Tuple:
    topic = literal(place.topic, Text())
    return tuple_(topic, *(literal(one, BigInteger()) for one in place[1:]))


def _shown(row: Sequence[Any]) -> HeldCommand:
    topic, partition, offset, brand, kind, subject_id, issuer, command_id, *rest = row
    command, state, due, attempts, first_at, cause, is_dropped, size = rest
    return HeldCommand(
        place=Place(topic, partition, offset),
        key=Key(brand, kind, subject_id),
        id=CommandId(brand, issuer, command_id),
        command=command,
        state=state,
        due=due,
        attempts=attempts,
        first_at=first_at,
        cause=cause,
        is_dropped=is_dropped,
        size=size,
    )
