"""How far each partition has been read, and who may go on: the only truth about it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import BigInteger, column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.rows import Rows
from shared.messaging.record import Partition
from shared.messaging.tables import PositionRow

_GIVEN = Rows(PositionRow.topic, PositionRow.partition, PositionRow.cluster_id)
_READ = select(
    PositionRow.topic,
    PositionRow.partition,
    PositionRow.owner_epoch,
    PositionRow.next_offset,
    PositionRow.cluster_id,
).where(PositionRow.topic == _GIVEN.c.topic, PositionRow.partition == _GIVEN.c.partition)

_NEW = Rows(
    PositionRow.topic,
    PositionRow.partition,
    PositionRow.owner_epoch,
    PositionRow.next_offset,
    PositionRow.cluster_id,
)
_INSERT = _NEW.insert_into(PositionRow)
_ASSIGN = _INSERT.on_conflict_do_update(
    index_elements=[PositionRow.topic, PositionRow.partition],
    set_={PositionRow.owner_epoch: PositionRow.owner_epoch + 1},
    where=PositionRow.cluster_id == _INSERT.excluded.cluster_id,
).returning(
    PositionRow.topic, PositionRow.partition, PositionRow.owner_epoch, PositionRow.next_offset
)

_MOVES = Rows(
    PositionRow.topic,
    PositionRow.partition,
    PositionRow.owner_epoch,
    PositionRow.next_offset,
    column("moved_to", BigInteger()),
)
# Locked in the order of the primary key: an UPDATE alone would lock in the order of its plan.
_LOCKED = (
    select(PositionRow.topic, PositionRow.partition, _MOVES.c.moved_to)
    .where(
        PositionRow.topic == _MOVES.c.topic,
        PositionRow.partition == _MOVES.c.partition,
        PositionRow.owner_epoch == _MOVES.c.owner_epoch,
        PositionRow.next_offset == _MOVES.c.next_offset,
    )
    .order_by(PositionRow.topic, PositionRow.partition)
    .with_for_update(key_share=True, of=PositionRow)
    .cte("locked")
)
_MOVE = (
    update(PositionRow)
    .where(PositionRow.topic == _LOCKED.c.topic, PositionRow.partition == _LOCKED.c.partition)
    .values(next_offset=_LOCKED.c.moved_to)
)


class Fenced(Exception):  # noqa: N818  not our error: somebody else goes on from here
    """Another owner has taken the partition over, or it stands elsewhere: roll back, let go."""


class OtherCluster(Exception):  # noqa: N818  an operator's doing
    """The positions are of another Kafka cluster: offsets of one mean nothing in the other.

    Point the service at its own cluster again, or give it a new database.
    """


@dataclass(frozen=True, slots=True)
class Owned:
    """Our hold on a partition: the epoch of the assignment, and the next offset to apply."""

    epoch: int
    next_offset: int

    def at(self, offset: int) -> "Owned":
        return replace(self, next_offset=offset)


async def assign(
    connection: AsyncConnection, partitions: Collection[Partition], cluster_id: str
) -> dict[Partition, Owned]:
    """Take partitions over: whoever had them is fenced. Waits for a transaction it has in hand.

    `OtherCluster` where they were read from another cluster. A partition that was never read
    stands at 0.
    """
    rows = [(topic, number, 1, 0, cluster_id) for topic, number in sorted(partitions)]
    assigned = {
        Partition(topic, number): Owned(epoch, next_offset)
        for topic, number, epoch, next_offset in await connection.execute(_ASSIGN, _NEW.of(rows))
    }
    if len(assigned) < len(rows):
        lost = min(set(partitions) - set(assigned))
        raise OtherCluster(
            f"The database has positions of {lost.topic} in another Kafka cluster than this one, "
            f"{cluster_id}. Point the service at its own cluster again, or at a new database."
        )
    return assigned


async def read(
    connection: AsyncConnection, partitions: Collection[Partition]
) -> dict[Partition, Owned]:
    """Return where partitions stand, whoever has them: what to believe after a doubtful commit."""
    rows = _GIVEN.of((topic, number, "") for topic, number in partitions)
    return {
        Partition(topic, number): Owned(epoch, next_offset)
        for topic, number, epoch, next_offset, _ in await connection.execute(_READ, rows)
    }


async def lock(
    connection: AsyncConnection,
    owned: Mapping[Partition, Owned],
    moves: Mapping[Partition, int],
    also: Iterable[Partition] = (),
) -> None:
    """Lock what is moved and what is named besides, and move it; `Fenced` unless all is ours.

    `moves` gives the next offset. It is ours where epoch and offset are as `owned` says.
    """
    wanted = sorted({*moves, *also})
    if not all(partition in owned for partition in wanted):
        raise Fenced
    rows = [
        (
            *partition,
            owned[partition].epoch,
            owned[partition].next_offset,
            moves.get(partition, owned[partition].next_offset),
        )
        for partition in wanted
    ]
    moved = await connection.execute(_MOVE, _MOVES.of(rows))
    if moved.rowcount < len(wanted):
        raise Fenced
