"""What FastStream and aiokafka do to a message by default, and what is done to it here instead."""

import asyncio
from pathlib import Path

from keyturn_contracts.envelope import REPLY_TO
from sqlalchemy import select, text

from shared.messaging.held import Limits
from shared.messaging.tables import HeldRow, PositionRow, UnreadableRow
from tests.transport import notes
from tests.transport.running import Given, in_thread, read_all, waking
from tests.transport.test_consumer import has, has_line, is_parked
from tests.transport.test_relay import is_sent
from tests.waiting import eventually

CANARY = "CANARY-7f3a"


async def test_a_poison_header_is_kept_and_never_passed_in_silence(given: Given) -> None:
    """A header that is null or not UTF-8 was neither acknowledged nor refused, and then passed."""
    async with given.consuming():
        await given.send(
            given.line("n1", "first"),
            given.line("n1", CANARY, headers={"x": b"\xff\xfe", "ce_time": b"\xff\xfe"}),
            given.line("n1", CANARY, headers={"ce_time": None}),
            given.line("n1", "third"),
        )
        await eventually(lambda: has(given, "n1", ["first", "third"]))

        kept = await given.fetch(select(UnreadableRow.reason).order_by(UnreadableRow.offset))
        assert [reason for (reason,) in kept] == ["header_not_utf8", "header_null"]


async def test_a_cancellation_from_a_rule_does_not_end_the_loop(given: Given) -> None:
    """It ended the loop that reads: nothing restarted it, and everything looked alive."""
    async with given.consuming() as consuming:
        await given.send(given.line("n1", notes.CANCELLING))
        await eventually(lambda: is_retried(given))
        await given.send(given.line("n2", "after"))
        await eventually(lambda: has(given, "n2", ["after"]))

        assert consuming.consumer.is_running


async def test_an_answer_goes_nowhere_that_a_header_names(given: Given) -> None:
    """What a handler returned was published to the topic that a sender wrote into `reply_to`."""
    targets = ("keyturn.workflow.events", "keyturn.credential-vault.events")
    before = {topic: len(await read_all(given.stack, topic)) for topic in targets}
    async with given.relaying() as relay, given.consuming(woken=waking(relay)):
        for topic in targets:
            headers = {REPLY_TO: topic.encode(), "reply_to": topic.encode()}
            await given.send(given.line("n1", f"for {topic}", headers=headers))
        await eventually(lambda: has_line(given, "n1", f"for {targets[-1]}"))
        await eventually(lambda: is_sent(given))

        assert {topic: len(await read_all(given.stack, topic)) for topic in targets} == before


async def test_no_content_reaches_the_log(given: Given, tmp_path: Path) -> None:
    """A validation error wrote the whole payload to the log, twice."""
    with given.process(tmp_path) as process:
        await in_thread(process.wait_ready)
        await given.send(
            given.line("n1", "x", value=b'{"note_id":"n1","line":{"%s":1}}' % CANARY.encode()),
            given.line("n1", "x", value=CANARY.encode()),
            given.line("n1", CANARY, headers={"ce_type": CANARY.encode()}),
            given.line("n2", "after"),
        )
        await eventually(lambda: has(given, "n2", ["after"]))

        assert "partitions taken over" in process.log.read_text()
        assert CANARY not in process.log.read_text()


async def test_a_failure_is_tried_a_few_times_with_pauses_and_then_parked(given: Given) -> None:
    """A message that failed came back at once and for ever: 364 times in 0.2 s."""
    async with given.consuming(limits=Limits(attempts=4)) as consuming:
        await given.send(given.line("n1", notes.FAILING), given.line("n1", "behind"))
        await eventually(lambda: is_parked(given))

        [(attempts,)] = await given.fetch(select(HeldRow.attempts).where(HeldRow.state == "parked"))
        assert attempts == 4
        assert consuming.consumer.is_running


async def test_stopping_waits_for_the_transaction_in_hand(given: Given) -> None:
    """Consumers left the group before their handlers had finished: duplicates at every deploy."""
    async with given.consuming():
        await given.send(given.line("n1", "there"))
        await eventually(lambda: has(given, "n1", ["there"]))
    before = await given.fetch(select(PositionRow.partition, PositionRow.next_offset))
    async with given.context.writer.connect() as blocking:
        await blocking.execute(_LOCK, {"brand": given.brand})
        async with given.consuming() as consuming:
            await given.send(given.line("n1", "in hand"))
            await eventually(lambda: is_waiting_for_a_lock(given))
            stopping = asyncio.create_task(consuming.consumer.stop())
            await eventually(lambda: consuming.consumer.is_leaving)
            assert not stopping.done()

            await blocking.rollback()
            await stopping

    assert await given.lines("n1") == ["there", "in hand"]
    after = await given.fetch(select(PositionRow.partition, PositionRow.next_offset))
    assert sum(offset for _, offset in after) == sum(offset for _, offset in before) + 1


_LOCK = text("SELECT * FROM note WHERE brand_id = :brand FOR UPDATE")


async def is_retried(given: Given) -> bool:
    rows = await given.fetch(select(HeldRow.state))
    return [state for (state,) in rows] == ["retried"]


async def is_waiting_for_a_lock(given: Given) -> bool:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    [(number,)] = await given.fetch(waiting)
    return number > 0
