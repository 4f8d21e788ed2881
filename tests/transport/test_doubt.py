"""What the consumer believes when nobody has told it: the position, and nothing else."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from shared.database.engines import create_engine
from shared.messaging.tables import InboxRow, OutboxRow
from tests.transport.proxy import Cut, proxied
from tests.transport.running import Given
from tests.transport.test_consumer import has
from tests.waiting import eventually


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


async def count(given: Given, table: type[InboxRow | OutboxRow]) -> int:
    [(number,)] = await given.fetch(select(func.count()).select_from(table))
    return number
