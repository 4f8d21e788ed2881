"""The relay on real Kafka: in the outbox's order, at least once, one at a time, and never stuck."""

import json
from collections.abc import Sequence

from prometheus_client import REGISTRY
from sqlalchemy import func, insert, select, text

from shared.messaging.outbox import Announcement, announce
from shared.messaging.tables import OutboxRow
from shared.telemetry import metrics
from tests.transport import notes
from tests.transport.running import Given
from tests.waiting import eventually


async def test_what_was_announced_is_sent_in_its_order_and_deleted(given: Given) -> None:
    await announce_lines(given, "n1", range(50))
    async with given.relaying():
        await eventually(lambda: is_sent(given))

        assert await given.announced("n1") == [lines_up_to(n) for n in range(50)]


async def test_a_commit_wakes_the_relay(given: Given) -> None:
    async with given.relaying() as relay:
        await announce_lines(given, "n1", range(1))
        relay.wake()
        await eventually(lambda: is_sent(given))

        assert await given.announced("n1") == [("line 0",)]


async def test_of_two_relays_one_sends_and_the_other_takes_over(given: Given) -> None:
    async with given.relaying() as first, given.relaying() as second:
        await announce_lines(given, "n1", range(20))
        first.wake()
        second.wake()
        await eventually(lambda: is_sent(given))
        assert await given.announced("n1") == [lines_up_to(n) for n in range(20)]

        [(pid,)] = await given.fetch(_HOLDER)
        await given.fetch(select(func.pg_terminate_backend(pid)))
        await announce_lines(given, "n2", range(20))
        await eventually(lambda: is_sent(given))

        found = await given.announced("n2")
        assert found[-1] == lines_up_to(19)
        assert list(dict.fromkeys(found)) == [lines_up_to(n) for n in range(20)]


async def test_what_commits_late_and_has_lower_ids_is_sent_too(given: Given) -> None:
    async with given.relaying(), given.context.writer.connect() as late:
        await announce(late, [announcement(given, "slow", ("slow",))])
        await announce_lines(given, "quick", range(5))
        await eventually(lambda: has_announced(given, "quick", 5))
        await late.commit()

        await eventually(lambda: has_announced(given, "slow", 1))
        await eventually(lambda: is_sent(given))


async def test_the_largest_message_passes(given: Given) -> None:
    line = "x" * (900 * 1024 - 100)
    async with given.context.writer.begin() as connection:
        await announce(connection, [announcement(given, "large", (line,))])
    async with given.relaying():
        await eventually(lambda: is_sent(given))

        assert await given.announced("large") == [(line,)]


async def test_a_reply_to_a_topic_that_is_not_there_holds_nothing_up(given: Given) -> None:
    headers = json.dumps({"ce_time": "2026-01-01T00:00:00Z"})
    async with given.context.writer.begin() as connection:
        await connection.execute(
            insert(OutboxRow).values(
                topic="keyturn.replies.nobody", key="0199", headers=headers, value=b"{}"
            )
        )
    await announce_lines(given, "n1", range(3))
    async with given.relaying():
        await eventually(lambda: is_sent(given))

        assert await given.announced("n1") == [lines_up_to(n) for n in range(3)]


async def test_depth_and_age_are_measured(given: Given) -> None:
    metrics.OUTBOX_DEPTH.set(99)
    metrics.OUTBOX_AGE.set(99)
    await announce_lines(given, "n1", range(3))
    async with given.relaying():
        await eventually(lambda: REGISTRY.get_sample_value("keyturn_outbox_depth") == 0)

        assert REGISTRY.get_sample_value("keyturn_outbox_age_seconds") == 0


_HOLDER = text("""
    SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
     WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()
       AND l.objsubid = 1
""")


def announcement(given: Given, note_id: str, lines: Sequence[str]) -> Announcement:
    return Announcement(notes.LineAdded(note_id=note_id, lines=tuple(lines)), given.brand)


def lines_up_to(number: int) -> tuple[str, ...]:
    return tuple(f"line {n}" for n in range(number + 1))


async def announce_lines(given: Given, note_id: str, numbers: range) -> None:
    async with given.context.writer.begin() as connection:
        await announce(connection, [announcement(given, note_id, lines_up_to(n)) for n in numbers])


async def is_sent(given: Given) -> bool:
    return not await given.fetch(select(OutboxRow.id).limit(1))


async def has_announced(given: Given, note_id: str, number: int) -> bool:
    return len(await given.announced(note_id)) == number
