"""A log of records and its one reader, whose clock the test holds in its hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from keyturn_contracts.message import CommandRefused
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.messaging import position
from shared.messaging.delivery import deliver
from shared.messaging.envelope import Asked, CommandId
from shared.messaging.handlers import Handlers
from shared.messaging.held import Limits, Place
from shared.messaging.held_desk import HeldCommand, list_held
from shared.messaging.inbox import Remembered, find
from shared.messaging.poll import Consuming, Poll, Processed
from shared.messaging.position import Owned
from shared.messaging.record import Content, Partition, RawRecord, Received, RefusedOnArrival
from tests.messaging import toy

CLUSTER = "cluster-of-the-tests"
COMMANDS = "keyturn.toy.commands"
NEWS = "keyturn.elsewhere.events"
LIMITS = Limits(
    wait=timedelta(seconds=3), first_pause=timedelta(seconds=1), longest_pause=timedelta(minutes=1)
)


def raw_record(
    offset: int,
    topic: str = COMMANDS,
    partition: int = 0,
    value: bytes = b"{}",
    timestamp_ms: int = 0,
) -> RawRecord:
    """Return a record with headers as odd as they come."""
    return RawRecord(
        topic=topic,
        partition=partition,
        offset=offset,
        key=b"a key",
        value=value,
        headers=(("ce_id", b"1"), ("odd", b"\xff\x00"), ("none", None)),
        timestamp_ms=timestamp_ms,
        timestamp_type=1,
    )


@dataclass
class Log:
    """Records lie in the log with what reading them comes to; a read again comes to the same."""

    engine: AsyncEngine
    handlers: Handlers = toy.handlers
    limits: Limits = LIMITS
    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    records: dict[Partition, list[Received]] = field(
        default_factory=dict[Partition, list[Received]]
    )
    contents: dict[Place, Content] = field(default_factory=dict[Place, Content])
    owned: dict[Partition, Owned] = field(default_factory=dict[Partition, Owned])

    def append(self, *contents: Content, partition: int = 0, topic: str = COMMANDS) -> list[Place]:
        """Append records; return where they lie."""
        places: list[Place] = []
        for content in contents:
            source = Partition(topic, partition)
            there = self.records.setdefault(source, [])
            value = content.evidence.value if isinstance(content, Asked) else b"{}"
            record = raw_record(
                len(there), topic, partition, value, int(self.now.timestamp() * 1000)
            )
            there.append(Received(record, content))
            places.append(Place.of(record))
            self.contents[places[-1]] = content
        return places

    def tell(self, *contents: Content) -> None:
        """Append news, in another topic."""
        self.append(*contents, topic=NEWS)

    async def assign(self) -> None:
        """Take over all partitions that there are."""
        async with self.engine.begin() as connection:
            self.owned |= await position.assign(connection, list(self.records), CLUSTER)

    async def poll(self, size: int | None = None) -> Processed:
        """Read on from where the position stands, so many of each partition at most."""
        if self.records.keys() - self.owned.keys():
            await self.assign()
        received: list[Received] = []
        for source, there in self.records.items():
            since = self.owned[source].next_offset
            received += there[since : None if size is None else since + size]
        poll = Poll(owned=self.owned, received=received, now=self.now)
        done = await deliver(self.engine, self.consuming, poll)
        self.owned = done.owned
        return done

    async def later(self, seconds: float) -> Processed:
        """Let time pass and poll."""
        self.now += timedelta(seconds=seconds)
        return await self.poll()

    @property
    def consuming(self) -> Consuming:
        return Consuming(handlers=self.handlers, parse=self.parse, limits=self.limits)

    async def parse(self, records: Sequence[RawRecord]) -> list[Content]:
        """Read records again, which have come out of the database the same as they went in."""
        for record in records:
            assert record == self.records[record.source][record.offset].record
        return [self.contents[Place.of(record)] for record in records]

    async def held(self) -> list[HeldCommand]:
        async with self.engine.connect() as connection:
            return await list_held(connection, limit=100_000)

    async def states(self) -> list[tuple[int, str, str]]:
        """Return offset, state and cause of what is held."""
        return [(one.place.offset, one.state, one.cause) for one in await self.held()]

    async def known(self, content: Asked[toy.Command] | RefusedOnArrival) -> Remembered | None:
        async with self.engine.connect() as connection:
            return await find(connection, content.id)

    async def outcome(self, content: Asked[toy.Command] | RefusedOnArrival) -> str | None:
        """Return `applied`, why it was refused, `open`, or None where it is unknown."""
        known = await self.known(content)
        if known is None:
            return None
        if known.outcome is None:
            return "open"
        return known.outcome.reason if isinstance(known.outcome, CommandRefused) else "applied"


async def totals(engine: AsyncEngine, brand: str = "acme") -> dict[str, int]:
    """Return every counter of a brand with its total."""
    query = select(toy.CounterRow.id, toy.CounterRow.total).where(toy.CounterRow.brand_id == brand)
    async with engine.connect() as connection:
        return {row.id: row.total for row in await connection.execute(query)}


async def traced(engine: AsyncEngine) -> list[str]:
    """Return what the bulk handler was called with, in order."""
    query = select(toy.TraceRow.entry).order_by(toy.TraceRow.id)
    async with engine.connect() as connection:
        return list(await connection.scalars(query))


def answers(done: Processed) -> dict[CommandId, str]:
    """Return what was answered, each as a word."""
    return {
        command_id: outcome.reason if isinstance(outcome, CommandRefused) else outcome.outcome
        for command_id, outcome in done.answers
    }
