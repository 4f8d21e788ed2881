"""The rows of held commands: which are due, what queues behind them, how they stand."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from keyturn_contracts.message import Key
from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.rows import Rows
from shared.messaging.held import Due, HeldKey, HeldRecord, NewlyHeld, Place, Standing, Taken
from shared.messaging.kept import KeptRecord, from_columns, to_columns
from shared.messaging.record import Partition
from shared.messaging.tables import HeldRow

_KEY = (HeldRow.brand_id, HeldRow.kind, HeldRow.subject_id)
_PLACE = (HeldRow.topic, HeldRow.partition, HeldRow.offset)
_RECORD = (
    HeldRow.record_key,
    HeldRow.record_value,
    HeldRow.record_headers,
    HeldRow.record_timestamp_ms,
    HeldRow.record_timestamp_type,
)

_PARTITIONS = Rows(HeldRow.topic, HeldRow.partition)
_OURS = and_(HeldRow.topic == _PARTITIONS.c.topic, HeldRow.partition == _PARTITIONS.c.partition)
_NOW = bindparam("now", type_=DateTime(timezone=True))
_IS_DUE: ColumnElement[bool] = or_(
    HeldRow.due <= _NOW, and_(bindparam("has_news", type_=Boolean), HeldRow.state == "waits")
)
_OF_EACH = (
    select(
        HeldRow.topic,
        HeldRow.partition,
        func.bool_or(and_(_IS_DUE, ~HeldRow.is_alone)).label("is_due"),
        func.bool_or(and_(_IS_DUE, HeldRow.is_alone)).label("is_due_alone"),
        func.min(HeldRow.due).filter(~_IS_DUE).label("later"),
    )
    .where(_OURS, HeldRow.due.is_not(None))
    .group_by(HeldRow.topic, HeldRow.partition)
    .subquery("of_each")
)
# One row at least, to say that nothing at all is held: nobody looks any further then.
_ONE = select(select(HeldRow.state).where(_OURS).exists().label("has_held")).subquery("one")
_LOOK: Select[*tuple[Any, ...]] = select(_ONE.c.has_held, *_OF_EACH.c).select_from(
    _ONE.outerjoin(_OF_EACH, true())
)
_DUE_KEYS = (
    select(HeldRow.topic, HeldRow.partition, *_KEY)
    .where(
        _OURS,
        HeldRow.due.is_not(None),
        _IS_DUE,
        or_(HeldRow.is_alone, ~bindparam("only_alone", type_=Boolean)),
    )
    .order_by(HeldRow.due)
    .limit(bindparam("rows", type_=Integer))
)

_KEYS = Rows(*_KEY, name="about")
_ABOUT = and_(
    HeldRow.brand_id == _KEYS.c.brand_id,
    HeldRow.kind == _KEYS.c.kind,
    HeldRow.subject_id == _KEYS.c.subject_id,
)


def _take(heads: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Return the rows behind each head, and the head: in the order of the heads, within limits."""
    head = heads.subquery("head")
    order = (head.c.due, *(head.c[one.key] for one in _KEY), HeldRow.offset)
    chosen = (
        select(
            *_PLACE,
            func.row_number().over(order_by=order).label("number"),
            func.sum(func.coalesce(func.octet_length(HeldRow.record_value), 0))
            .over(order_by=order)
            .label("size"),
            func.count().over(partition_by=_KEY).label("of_key"),
            func.count().over().label("of_all"),
        )
        .where(*(one == head.c[one.key] for one in (HeldRow.topic, HeldRow.partition, *_KEY)))
        .subquery("chosen")
    )
    return (
        select(
            *_PLACE,
            *_KEY,
            HeldRow.state,
            HeldRow.attempts,
            HeldRow.first_at,
            HeldRow.is_dropped,
            chosen.c.of_key,
            chosen.c.of_all,
            *_RECORD,
        )
        .where(
            *(one == chosen.c[one.key] for one in _PLACE),
            chosen.c.number <= bindparam("rows", type_=Integer),
            or_(chosen.c.number == 1, chosen.c.size <= bindparam("bytes", type_=Integer)),
        )
        .order_by(chosen.c.number)
        .with_for_update(key_share=True, of=HeldRow)
    )


_HEADS = select(HeldRow.topic, HeldRow.partition, *_KEY, HeldRow.due).where(
    HeldRow.due.is_not(None)
)
_TAKE_DUE = _take(
    _HEADS.where(_OURS, _IS_DUE, ~HeldRow.is_alone)
    .order_by(HeldRow.due)
    .limit(bindparam("rows", type_=Integer))
)
_TAKE_FIRST = _take(_HEADS.where(_OURS, _ABOUT))

_FIND_HELD = select(*_KEY).where(_ABOUT).distinct()

_NEW = Rows(
    *_PLACE,
    *_KEY,
    HeldRow.issuer,
    HeldRow.command_id,
    HeldRow.command,
    HeldRow.state,
    HeldRow.due,
    HeldRow.attempts,
    HeldRow.first_at,
    HeldRow.cause,
    HeldRow.is_alone,
    HeldRow.is_dropped,
    *_RECORD,
)
_HOLD = _NEW.insert_into(HeldRow)
_STANDING = Rows(
    *_PLACE, HeldRow.state, HeldRow.due, HeldRow.attempts, HeldRow.cause, HeldRow.is_alone
)
_KEEP = (
    update(HeldRow)
    .where(*(one == _STANDING.c[one.key] for one in _PLACE))
    .values(
        state=_STANDING.c.state,
        due=_STANDING.c.due,
        attempts=_STANDING.c.attempts,
        cause=_STANDING.c.cause,
        is_alone=_STANDING.c.is_alone,
    )
)
_PLACES = Rows(*_PLACE)
_RELEASE = delete(HeldRow).where(*(one == _PLACES.c[one.key] for one in _PLACE))
_FIRST = (
    select(*_PLACE, HeldRow.state)
    .where(_ABOUT)
    .ext(distinct_on(*_KEY))
    .order_by(*_KEY, HeldRow.offset)
    .subquery("first")
)
_PROMOTE = (
    update(HeldRow)
    .where(*(one == _FIRST.c[one.key] for one in _PLACE), _FIRST.c.state == "queued")
    .values(state="retried", due=_NOW, attempts=0, cause="behind", is_alone=False)
)


async def look(
    connection: AsyncConnection, partitions: Collection[Partition], now: datetime, *, has_news: bool
) -> Due:
    """Say what is due. With news, all that waits for news is."""
    given = {**_PARTITIONS.of(sorted(partitions)), "now": now, "has_news": has_news}
    together: set[Partition] = set()
    next_at: datetime | None = None
    has_held = has_alone = False
    for row in await connection.execute(_LOOK, given):
        has_held, topic, number, is_due, is_due_alone, later = row
        if is_due:
            together.add(Partition(topic, number))
        has_alone = has_alone or bool(is_due_alone)
        if later is not None:
            next_at = later if next_at is None else min(later, next_at)
    alone = (
        await due_keys(connection, partitions, now, has_news=has_news, only_alone=True)
        if has_alone
        else []
    )
    return Due(frozenset(together), tuple(alone), next_at, has_held)


async def due_keys(
    connection: AsyncConnection,
    partitions: Collection[Partition],
    now: datetime,
    *,
    has_news: bool,
    only_alone: bool = False,
    rows: int = 100,
) -> list[HeldKey]:
    """Return keys whose first is due, the longest due in front."""
    found = await connection.execute(
        _DUE_KEYS,
        {
            **_PARTITIONS.of(sorted(partitions)),
            "now": now,
            "has_news": has_news,
            "only_alone": only_alone,
            "rows": rows,
        },
    )
    return [HeldKey(Partition(topic, number), Key(*key)) for topic, number, *key in found]


async def take_due(
    connection: AsyncConnection,
    partitions: Collection[Partition],
    now: datetime,
    *,
    has_news: bool,
    rows: int,
    size: int,
) -> Taken:
    """Lock and return what is due with all that queues behind it, each key in log order.

    Call it under the position lock of these partitions.
    """
    given = {
        **_PARTITIONS.of(sorted(partitions)),
        "now": now,
        "has_news": has_news,
        "rows": rows,
        "bytes": size,
    }
    return _taken((await connection.execute(_TAKE_DUE, given)).all(), rows)


async def take_first(connection: AsyncConnection, held: HeldKey) -> Taken:
    """Lock and return the first of one key, without what queues behind it."""
    given = {
        **_PARTITIONS.of([held.partition]),
        **_KEYS.of([held.key]),
        "rows": 1,
        "bytes": 0,
    }
    return _taken((await connection.execute(_TAKE_FIRST, given)).all(), 1)


def _taken(rows: Sequence[Any], most: int) -> Taken:
    records: list[HeldRecord] = []
    of_key: dict[Key, int] = {}
    of_all = 0
    for (
        topic,
        partition,
        offset,
        brand,
        kind,
        subject_id,
        *state,
        number,
        of_all,  # noqa: B007  the same in each row
        k1,
        k2,
        k3,
        k4,
        k5,
    ) in rows:
        key = Key(brand, kind, subject_id)
        of_key[key] = number
        kept = KeptRecord(k1, k2, k3, k4, k5)
        records.append(
            HeldRecord(
                record=from_columns(topic, partition, offset, kept),
                key=key,
                state=state[0],
                attempts=state[1],
                first_at=state[2],
                is_dropped=state[3],
            )
        )
    for one in records:
        of_key[one.key] -= 1
    return Taken(
        records,
        cut=frozenset(key for key, left in of_key.items() if left),
        has_more=len(records) < of_all or len(records) == most,
    )


async def find_held(connection: AsyncConnection, keys: Collection[Key]) -> set[Key]:
    """Return those of these keys that are held."""
    return {Key(*row) for row in await connection.execute(_FIND_HELD, _KEYS.of(sorted(keys)))}


async def hold(connection: AsyncConnection, newly: Sequence[NewlyHeld], now: datetime) -> None:
    """Keep commands of this poll with their whole records."""
    rows = (
        (
            *Place.of(one.record),
            *one.key,
            one.id.issuer,
            one.id.id,
            one.command,
            one.standing.state,
            one.standing.due,
            one.standing.attempts,
            now,
            one.standing.cause,
            one.standing.is_alone,
            False,
            *to_columns(one.record),
        )
        for one in newly
    )
    await connection.execute(_HOLD, _NEW.of(rows))


async def keep(connection: AsyncConnection, standings: Mapping[Place, Standing]) -> None:
    """Note how commands that were taken up are held on."""
    rows = (
        (*place, one.state, one.due, one.attempts, one.cause, one.is_alone)
        for place, one in sorted(standings.items())
    )
    await connection.execute(_KEEP, _STANDING.of(rows))


async def release(connection: AsyncConnection, places: Collection[Place]) -> None:
    """Forget commands that were taken up and have an outcome now."""
    await connection.execute(_RELEASE, _PLACES.of(sorted(places)))


async def promote(connection: AsyncConnection, keys: Collection[Key], now: datetime) -> None:
    """Make the first of each key due at once where it only queued: what it was behind is gone."""
    await connection.execute(_PROMOTE, {**_KEYS.of(sorted(keys)), "now": now})
