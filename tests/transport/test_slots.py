"""Which process of a service one is: the lowest number that is free, for as long as it is held."""

import asyncio

import pytest
from sqlalchemy import text

from shared.messaging import slots
from shared.messaging.slots import Slot, SlotTaken
from tests.transport.running import Given
from tests.waiting import eventually

_END = text("""
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name = 'keyturn slot' AND datname = current_database()
""")


async def test_the_lowest_free_number_is_taken(given: Given) -> None:
    first, second, third = (Slot(given.settings.database) for _ in range(3))
    try:
        assert [await first.take(), await second.take()] == [1, 2]
        await first.release()

        assert await eventually(third.take) == 1
    finally:
        for slot in (first, second, third):
            await slot.release()


async def test_whoever_finds_its_number_taken_ends(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes with one number would take the partitions from each other without end."""
    monkeypatch.setattr(slots, "_CHECK_SECONDS", 0.2)
    first, second = Slot(given.settings.database), Slot(given.settings.database)
    try:
        await first.take()
        await given.fetch(_END)
        assert await eventually(second.take) == 1

        with pytest.raises(SlotTaken, match="has taken number 1 over"):
            await asyncio.wait_for(first.keep(), 30)
    finally:
        await first.release()
        await second.release()


async def test_whoever_finds_its_number_free_again_keeps_it(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "_CHECK_SECONDS", 0.05)
    first, second = Slot(given.settings.database), Slot(given.settings.database)
    keeping = None
    try:
        await first.take()
        keeping = asyncio.create_task(first.keep())
        await given.fetch(_END)
        await eventually(lambda: holds_again(given))

        assert await second.take() == 2
        assert not keeping.done()
    finally:
        if keeping is not None:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
        await first.release()
        await second.release()


async def holds_again(given: Given) -> bool:
    locks = text("""
        SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
         WHERE l.locktype = 'advisory' AND a.application_name = 'keyturn slot'
           AND a.datname = current_database()
    """)
    [(number,)] = await given.fetch(locks)
    return number == 1
