"""The smallest service that reads and writes real topics: it borrows the catalog's."""

import asyncio
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from keyturn_contracts.catalog import ExtensionPublished
from keyturn_contracts.ids import Id
from keyturn_contracts.message import Command, Event, Key, Message
from sqlalchemy import CheckConstraint, MetaData, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.rows import Rows
from shared.database.tables import NAMING_CONVENTION, TYPES
from shared.decisions import Applied, Decision, Later, NotYetKnown, Refused, Unchanged
from shared.messaging.envelope import Asked, News
from shared.messaging.handlers import Aggregate, Handlers, Listener
from shared.messaging.service import Service, run
from shared.settings import read_settings

SERVICE = "catalog"


class AboutNote(Message):
    service: ClassVar = SERVICE
    kind: ClassVar = "notes"

    note_id: Id

    @property
    def subject_id(self) -> str:
        return self.note_id


class AddLine(AboutNote, Command):
    """Adds a line; some lines make the rule do what a rule should not."""

    reasons: ClassVar = ("too_long", "not_there")

    line: str


class LineAdded(AboutNote, Event):
    lines: tuple[str, ...]


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = TYPES


class NoteRow(Base):
    __tablename__ = "note"
    __table_args__ = (CheckConstraint("brand_id <> ''", name="brand"),)

    brand_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    lines: Mapped[str]


class HeardRow(Base):
    __tablename__ = "heard"

    slug: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    times: Mapped[int]


@dataclass(frozen=True, slots=True)
class NoteState:
    lines: tuple[str, ...] = ()


CANCELLING = "cancel somebody"
FAILING = "fail"
LATER = "later"
WAITING = "wait for news"


def decide_line(note: NoteState | None, asked: Asked[AddLine]) -> Decision[NoteState, str]:
    line = asked.command.line
    before = note or NoteState()
    if line == CANCELLING:
        # What awaiting a task that somebody else has cancelled looks like to whoever awaits it.
        raise asyncio.CancelledError
    if line == FAILING:
        raise ZeroDivisionError
    if line == WAITING:
        raise NotYetKnown(Refused("not_there", "Its news has not come."))
    if line == LATER:
        return Later(before)
    if len(line) > 1_000_000:
        return Refused("too_long", "A line has at most a million characters.")
    if line in before.lines:
        return Unchanged("The line is there.")
    after = NoteState((*before.lines, line))
    return Applied(after, [LineAdded(note_id=asked.command.note_id, lines=after.lines)])


_KEYS = Rows(NoteRow.brand_id, NoteRow.id)
_LOCK = (
    select(NoteRow.brand_id, NoteRow.id, NoteRow.lines)
    .where(NoteRow.brand_id == _KEYS.c.brand_id, NoteRow.id == _KEYS.c.id)
    .order_by(NoteRow.brand_id, NoteRow.id)
    .with_for_update(key_share=True, of=NoteRow)
)
_NOTES = Rows(NoteRow.brand_id, NoteRow.id, NoteRow.lines)
_SAVE = _NOTES.upsert_into(NoteRow)
_HEARD = Rows(HeardRow.slug, HeardRow.version, HeardRow.times)
_HEAR = _HEARD.upsert_into(HeardRow, also={HeardRow.times: HeardRow.times + 1})
_BETWEEN = "\n"


async def lock_notes(connection: AsyncConnection, keys: Iterable[Key]) -> dict[Key, NoteState]:
    wanted = _KEYS.of((key.brand, key.id) for key in keys)
    return {
        Key(brand, "notes", id_): NoteState(tuple(lines.split(_BETWEEN)))
        for brand, id_, lines in await connection.execute(_LOCK, wanted)
    }


async def save_notes(connection: AsyncConnection, changed: Mapping[Key, NoteState]) -> None:
    rows = [(key.brand, key.id, _BETWEEN.join(one.lines)) for key, one in sorted(changed.items())]
    await connection.execute(_SAVE, _NOTES.of(rows))


async def hear(connection: AsyncConnection, news: Sequence[News[ExtensionPublished]]) -> None:
    newest = {one.event.manifest.slug: one.event.version for one in news}
    await connection.execute(_HEAR, _HEARD.of((*one, 1) for one in sorted(newest.items())))


notes = Aggregate(lock=lock_notes, save=save_notes)
handlers = Handlers(notes.command(AddLine, decide_line))
service = Service(name=SERVICE, handlers=handlers)
listening = Service(
    name="workflow", handlers=Handlers(Listener(ExtensionPublished, hear)), listens_to=("catalog",)
)


if __name__ == "__main__":
    run(service if sys.argv[1] == SERVICE else listening, read_settings(Path(sys.argv[2])))
