"""A service as small as possible with one of everything, for tests of the machinery."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from keyturn_contracts.ids import Id
from keyturn_contracts.message import Command, Event, Key, Message, Verdict
from sqlalchemy import CheckConstraint, Identity, MetaData, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.rows import Rows
from shared.database.tables import NAMING_CONVENTION, TYPES
from shared.decisions import (
    Applied,
    AppliedToMany,
    Decision,
    Later,
    NotYetKnown,
    Refused,
    Unchanged,
    Unprocessable,
)
from shared.messaging.envelope import Asked, News, newest_of_each_key
from shared.messaging.handlers import Aggregate, BulkCommand, Handlers, Listener


class AboutCounter(Message):
    service: ClassVar = "toy"
    kind: ClassVar = "counters"

    counter_id: Id

    @property
    def subject_id(self) -> str:
        return self.counter_id


class Add(AboutCounter, Command):
    """Adds; nothing is unchanged; `raises` makes its rule fail."""

    amount: int
    note: str = ""
    raises: Literal["", "bug", "unprocessable", "negative"] = ""


class AddTwice(AboutCounter, Command):
    """Two events of one aggregate."""

    amount: int


class AddOnceOpen(AboutCounter, Command):
    """Needs the news that its counter was opened elsewhere."""

    amount: int


class AddToMany(AboutCounter, Command):
    """A bulk on the counters `<id>-1`, `<id>-2` and so on."""

    many: int
    raises: bool = False


class Weigh(AboutCounter, Command):
    """Answered later, by a job."""


class Changed(AboutCounter, Event):
    total: int


class Opened(Event):
    """News of elsewhere: a counter may be used."""

    service: ClassVar = "elsewhere"
    kind: ClassVar = "openings"

    counter_id: Id
    is_open: bool = True
    note: str = ""

    @property
    def subject_id(self) -> str:
        return self.counter_id


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = TYPES


class CounterRow(Base):
    __tablename__ = "counter"
    __table_args__ = (
        CheckConstraint("total >= 0", name="total"),
        CheckConstraint("brand_id <> ''", name="brand"),
    )

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    total: Mapped[int]
    note: Mapped[str]
    is_weighed: Mapped[bool]


class OpeningRow(Base):
    __tablename__ = "opening"
    __table_args__ = (CheckConstraint("note <> 'bad'", name="note"),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    is_open: Mapped[bool]
    note: Mapped[str]
    epoch: Mapped[int]
    sequence: Mapped[int]


class TraceRow(Base):
    """What the handlers did, in its order; it hides nothing that happened twice."""

    __tablename__ = "trace"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    entry: Mapped[str]


@dataclass(frozen=True, slots=True)
class Counter:
    total: int = 0
    note: str = ""
    is_weighed: bool = False
    is_open: bool = False


class Stubborn(Unprocessable):
    """Nothing will ever make it work."""


def decide_add(counter: Counter | None, asked: Asked[Add]) -> Decision[Counter, str]:
    command = asked.command
    match command.raises:
        case "bug":
            raise ZeroDivisionError
        case "unprocessable":
            raise Stubborn
        case "negative":
            # Nothing is wrong with the rule: the database refuses what it decides.
            return Applied(Counter(total=-1_000_000))
        case _:
            pass
    if command.amount == 0:
        return Unchanged("Nothing is added by adding nothing.")
    before = counter or Counter()
    if before.total + command.amount < 0:
        return Refused("too_little", "There is less than that.")
    after = replace(before, total=before.total + command.amount, note=command.note or before.note)
    return Applied(after, [Changed(counter_id=command.counter_id, total=after.total)])


def decide_add_twice(counter: Counter | None, asked: Asked[AddTwice]) -> Decision[Counter, str]:
    before, amount = counter or Counter(), asked.command.amount
    return Applied(
        replace(before, total=before.total + 2 * amount),
        [
            Changed(counter_id=asked.command.counter_id, total=before.total + n * amount)
            for n in (1, 2)
        ],
    )


def decide_add_once_open(
    counter: Counter | None, asked: Asked[AddOnceOpen]
) -> Decision[Counter, str]:
    if counter is None or not counter.is_open:
        raise NotYetKnown(Refused("not_open", "It was never opened."))
    after = replace(counter, total=counter.total + asked.command.amount)
    return Applied(after, [Changed(counter_id=asked.command.counter_id, total=after.total)])


def decide_weigh(counter: Counter | None, asked: Asked[Weigh]) -> Decision[Counter, str]:
    if counter is None:
        # News of it may be on the way: what is decided must not depend on which came first.
        raise NotYetKnown(Refused("unknown", "There is no such counter."))
    return Later(replace(counter, is_weighed=True))


def drop_add(counter: Counter | None, asked: Asked[Add]) -> Decision[Counter, str]:
    return Refused(
        "dropped", "It was given up.", replace(counter or Counter(), note="something was dropped")
    )


def conclude_weighing(counter: Counter | None, weight: int | None) -> Decision[Counter, str]:
    """Take the weight for the total; without one the scale was broken."""
    if counter is None or weight is None:
        raise ZeroDivisionError
    after = replace(counter, total=weight, is_weighed=False)
    if weight == counter.total:
        return Unchanged("It weighs what it weighed.", after)
    return Applied(after, [Changed(counter_id="weighed", total=weight)])


_KEYS = Rows(CounterRow.brand_id, CounterRow.id)
_LOCK = (
    select(
        CounterRow.brand_id,
        CounterRow.id,
        CounterRow.total,
        CounterRow.note,
        CounterRow.is_weighed,
    )
    .where(CounterRow.brand_id == _KEYS.c.brand_id, CounterRow.id == _KEYS.c.id)
    .order_by(CounterRow.brand_id, CounterRow.id)
    .with_for_update(key_share=True, of=CounterRow)
)
_OPEN = select(OpeningRow.brand_id, OpeningRow.id).where(
    OpeningRow.brand_id == _KEYS.c.brand_id, OpeningRow.id == _KEYS.c.id, OpeningRow.is_open
)
_COUNTERS = Rows(
    CounterRow.brand_id, CounterRow.id, CounterRow.total, CounterRow.note, CounterRow.is_weighed
)
_SAVE = _COUNTERS.upsert_into(CounterRow)
_OPENINGS = Rows(
    OpeningRow.brand_id,
    OpeningRow.id,
    OpeningRow.is_open,
    OpeningRow.note,
    OpeningRow.epoch,
    OpeningRow.sequence,
)
_SAVE_OPENINGS = _OPENINGS.upsert_into(
    OpeningRow, newest_by=[OpeningRow.epoch, OpeningRow.sequence]
)
_ENTRIES = Rows(TraceRow.entry)
_TRACE = _ENTRIES.insert_into(TraceRow, in_order=True)


async def lock_counters(connection: AsyncConnection, keys: Iterable[Key]) -> dict[Key, Counter]:
    wanted = _KEYS.of((key.brand, key.id) for key in keys)
    rows = (await connection.execute(_LOCK, wanted)).all()
    is_open = {tuple(row) for row in await connection.execute(_OPEN, wanted)}
    found = {
        Key(brand, "counters", id_): Counter(total, note, is_weighed, (brand, id_) in is_open)
        for brand, id_, total, note, is_weighed in rows
    }
    for brand, id_ in is_open:
        found.setdefault(Key(brand, "counters", id_), Counter(is_open=True))
    return found


async def save_counters(connection: AsyncConnection, changed: Mapping[Key, Counter]) -> None:
    rows = [
        (key.brand, key.id, one.total, one.note, one.is_weighed)
        for key, one in sorted(changed.items())
    ]
    await connection.execute(_SAVE, _COUNTERS.of(rows))


async def save_openings(connection: AsyncConnection, news: Sequence[News[Opened]]) -> None:
    rows = [
        (
            one.brand,
            one.event.counter_id,
            one.event.is_open,
            one.event.note,
            one.epoch,
            one.sequence,
        )
        for one in newest_of_each_key(news)
    ]
    await connection.execute(_SAVE_OPENINGS, _OPENINGS.of(rows))


async def add_to_many(
    connection: AsyncConnection, asked: Sequence[Asked[AddToMany]]
) -> list[AppliedToMany | Refused[object, str]]:
    answers: list[AppliedToMany | Refused[object, str]] = []
    await connection.execute(
        _TRACE,
        _ENTRIES.of([(" ".join(["many", *(one.command.counter_id for one in asked)]),)]),
    )
    keys = {
        one.id.id: [
            Key(one.id.brand, "counters", f"{one.command.counter_id}-{n + 1}")
            for n in range(one.command.many)
        ]
        for one in asked
    }
    states = await lock_counters(connection, {key for some in keys.values() for key in some})
    for one in asked:
        if one.command.raises:
            raise ZeroDivisionError
        if one.command.many == 0:
            answers.append(Refused("too_few", "Name one at least."))
            continue
        events: list[Event] = []
        for key in keys[one.id.id]:
            before = states.get(key, Counter())
            states[key] = replace(before, total=before.total + 1)
            events.append(Changed(counter_id=key.id, total=states[key].total))
        answers.append(
            AppliedToMany(
                changed=True,
                events=events,
                verdicts=[Verdict(subject="counters/none", verdict="refused", reason="not_there")],
                not_applied=1,
            )
        )
    await save_counters(connection, states)
    return answers


counters = Aggregate(lock=lock_counters, save=save_counters)

handlers = Handlers(
    counters.command(Add, decide_add, drop=drop_add),
    counters.command(AddTwice, decide_add_twice),
    counters.command(AddOnceOpen, decide_add_once_open),
    counters.command(Weigh, decide_weigh),
    BulkCommand(AddToMany, add_to_many),
    Listener(Opened, save_openings),
)
