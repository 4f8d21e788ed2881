"""What the consumer believes when nobody has told it: the position, and nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from keyturn_contracts.message import Key
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.engines import create_engine
from shared.messaging.handlers import Aggregate, Handlers
from shared.messaging.held import Limits
from shared.messaging.tables import HeldRow, InboxRow, OutboxRow
from tests.transport import notes
from tests.transport.proxy import Cut, proxied
from tests.transport.running import Given
from tests.transport.test_consumer import has
from tests.waiting import eventually

BEARABLE = 3
"""How many notes the database of a test takes in one transaction."""


@pytest.mark.parametrize("cut", ["before the commit", "after the commit"])
async def test_a_commit_without_an_answer_is_neither_lost_nor_done_twice(
    given: Given, cut: Cut
) -> None:
    async with proxied(given.settings.database) as (proxy, database):
        writer = create_engine(database, "writer")
        doubtful = replace(given, context=replace(given.context, writer=writer))
        try:
            async with doubtful.consuming() as consuming:
                await given.send(given.line("n1", "first"))
                await eventually(lambda: has(given, "n1", ["first"]))
                proxy.arm(cut)
                await given.send(given.line("n1", "in doubt"))
                await eventually(lambda: proxy.cuts == 1)
                await given.send(given.line("n1", "last"))

                await eventually(lambda: has(given, "n1", ["first", "in doubt", "last"]))
                assert await count(given, InboxRow) == 3
                assert await count(given, OutboxRow) == 3
                assert not consuming.problems
        finally:
            await writer.dispose()


async def test_what_the_database_does_not_bear_at_once_it_is_given_in_smaller_parts(
    given: Given,
) -> None:
    async def save_few(connection: AsyncConnection, changed: Mapping[Key, notes.NoteState]) -> None:
        if len(changed) > BEARABLE:
            raise ConnectionResetError
        await notes.save_notes(connection, changed)

    few = Handlers(
        Aggregate(lock=notes.lock_notes, save=save_few).command(notes.AddLine, notes.decide_line)
    )
    names = [f"n{number}" for number in range(40)]
    await given.send(*(given.line(name, "one") for name in names))
    overwhelmed = replace(given, service=replace(given.service, handlers=few))

    async with overwhelmed.consuming() as consuming:
        await eventually(lambda: have(given, names))
        assert not consuming.problems

    assert await count(given, InboxRow) == len(names)


async def test_so_is_what_was_held_and_is_due_all_at_once(given: Given) -> None:
    async def lock_few(
        connection: AsyncConnection, keys: Iterable[Key]
    ) -> dict[Key, notes.NoteState]:
        wanted = list(keys)
        if len(wanted) > BEARABLE:
            raise ConnectionResetError
        return await notes.lock_notes(connection, wanted)

    few = Handlers(
        Aggregate(lock=lock_few, save=notes.save_notes).command(notes.AddLine, notes.decide_line)
    )
    await given.send(*(given.line(f"n{number}", notes.WAITING) for number in range(12)))
    patient = Limits(wait=timedelta(minutes=1), first_pause=timedelta(minutes=1))
    async with given.consuming(limits=patient):
        await eventually(lambda: counts(given, HeldRow, 12))
    async with given.context.writer.begin() as connection:
        over = datetime.now(UTC) - timedelta(hours=1)
        await connection.execute(update(HeldRow).values(first_at=over, due=over))
    overwhelmed = replace(given, service=replace(given.service, handlers=few))

    async with overwhelmed.consuming(limits=Limits(rows=8)) as consuming:
        await eventually(lambda: counts(given, InboxRow, 12))
        assert not consuming.problems


async def counts(given: Given, table: type[InboxRow | HeldRow], wanted: int) -> bool:
    return await count(given, table) == wanted


async def have(given: Given, names: Sequence[str]) -> bool:
    rows = await given.fetch(select(notes.NoteRow.id, notes.NoteRow.lines))
    return [id_ for id_, lines in sorted(rows) if lines == "one"] == sorted(names)


async def count(given: Given, table: type[InboxRow | OutboxRow | HeldRow]) -> int:
    [(number,)] = await given.fetch(select(func.count()).select_from(table))
    return number
