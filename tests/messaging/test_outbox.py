"""What is announced, in which order and with which sequences."""

import json
from asyncio import gather

import pytest
from keyturn_contracts.message import MAX_MESSAGE_BYTES, Event
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.messaging.envelope import CommandId
from shared.messaging.latest import SequenceTaken
from shared.messaging.outbox import Announcement, TooLarge, announce
from shared.messaging.tables import EpochRow, LatestRow
from tests.batches import published
from tests.messaging.toy import AboutCounter, Changed

CAUSE = CommandId("acme", "local", "0199c8a1-b400-7000-8000-000000000001")


class Described(AboutCounter, Event):
    text: str


def changed(counter_id: str, total: int, brand: str = "acme") -> Announcement:
    return Announcement(Changed(counter_id=counter_id, total=total), brand)


async def tell(engine: AsyncEngine, *announcements: Announcement) -> list[int]:
    async with engine.begin() as connection:
        return [one.sequence for one in await announce(connection, announcements)]


async def test_each_aggregate_counts_for_itself(engine: AsyncEngine) -> None:
    first = await tell(engine, changed("a", 1), changed("b", 1), changed("a", 2))
    second = await tell(engine, changed("a", 3), changed("a", 1, brand="rival"))

    assert (first, second) == ([1, 1, 2], [3, 1])


async def test_the_outbox_keeps_the_order_in_which_they_were_announced(
    engine: AsyncEngine,
) -> None:
    names = [f"c{number:03}" for number in range(100, 0, -1)]

    await tell(engine, *[changed(name, number) for number, name in enumerate(names)])

    sent = await published(engine)
    assert [one.key for one in sent] == [f"acme/counters/{name}" for name in names]


async def test_the_newest_event_of_each_key_is_kept_whole(engine: AsyncEngine) -> None:
    await tell(engine, changed("a", 1), changed("b", 1), changed("a", 2))

    query = select(LatestRow).where(LatestRow.brand_id == "acme").order_by(LatestRow.subject_id)
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).all()
    sent = await published(engine)
    assert [(row.subject_id, row.sequence, row.value) for row in rows] == [
        ("a", 2, b'{"counter_id":"a","total":2}'),
        ("b", 1, b'{"counter_id":"b","total":1}'),
    ]
    assert json.loads(rows[0].headers) == sent[2].headers


async def test_nobody_asked_for_what_a_job_announces(engine: AsyncEngine) -> None:
    began = Announcement(Changed(counter_id="b", total=1), "acme", correlation=CAUSE.id)

    await tell(engine, changed("a", 1), began)

    [alone, of_a_chain] = [one.headers for one in await published(engine)]
    assert not {"ce_causationid", "ce_correlationid", "traceparent"} & alone.keys()
    assert "ce_causationid" not in of_a_chain
    assert of_a_chain["ce_correlationid"] == CAUSE.id


async def test_a_new_epoch_counts_from_one_and_wins(engine: AsyncEngine) -> None:
    await tell(engine, changed("a", 1), changed("a", 2))
    async with engine.begin() as connection:
        await connection.execute(update(EpochRow).values(number=2))

    again = await tell(engine, changed("a", 3), changed("a", 4))

    assert again == [1, 2]
    assert [one.headers["ce_epoch"] for one in await published(engine)] == ["1", "1", "2", "2"]


async def test_whoever_announces_without_the_lock_is_told_to_run_again(
    engine: AsyncEngine,
) -> None:
    """Sequences stay gapless even then, and never is one given twice."""

    async def tell_until_it_works() -> list[int]:
        while True:
            try:
                return await tell(engine, changed("new", 1), changed("also-new", 1))
            except SequenceTaken:
                continue

    given = await gather(*[tell_until_it_works() for _ in range(5)])

    assert sorted(sequence for sequences in given for sequence in sequences) == sorted(
        [*range(1, 6), *range(1, 6)]
    )


async def test_an_event_that_was_rolled_back_takes_no_sequence(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await announce(connection, [changed("a", 1)])
        await connection.rollback()

    assert await tell(engine, changed("a", 1)) == [1]


async def test_an_aggregate_has_a_brand(engine: AsyncEngine) -> None:
    with pytest.raises(Exception, match="latest_brand_check"):
        await tell(engine, changed("a", 1, brand=""))

    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM latest WHERE brand_id = ''")) == 0


async def test_what_no_topic_takes_is_not_queued_in_front_of_everything_else(
    engine: AsyncEngine,
) -> None:
    room = MAX_MESSAGE_BYTES - len(Described(counter_id="a", text="").to_json())

    assert await tell(engine, Announcement(Described(counter_id="a", text="x" * room), "acme"))
    with pytest.raises(TooLarge):
        await tell(engine, Announcement(Described(counter_id="a", text="x" * (room + 1)), "acme"))

    assert len(await published(engine)) == 1
