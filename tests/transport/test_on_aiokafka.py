"""The laws of a transport, on aiokafka, against a real broker that is killed."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.suites.transport import Lines, TransportSuite
from tests.transport import notes
from tests.transport.running import Breakable, Given, in_thread, waking

_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")


class OnAiokafka:
    """The notes service: its consumer and its relay."""

    def __init__(self, given: Given, breakable: Breakable) -> None:
        self._given = given
        self._breakable = breakable

    async def send(self, *messages: tuple[str, str]) -> None:
        await self._given.send(*(self._given.line(note, line) for note, line in messages))

    async def applied(self, note: str) -> Sequence[str]:
        return await self._given.lines(note)

    async def announced(self, note: str) -> Sequence[Lines]:
        return await self._given.announced(note)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        async with (
            self._given.relaying() as relay,
            self._given.consuming(woken=waking(relay)) as consuming,
        ):
            yield
            assert not consuming.problems

    @asynccontextmanager
    async def running_until_killed(self, point: str) -> AsyncGenerator[asyncio.Event]:
        dead = asyncio.Event()
        with (
            tempfile.TemporaryDirectory() as folder,
            self._given.process(Path(folder), crash=point) as process,
        ):
            await in_thread(process.wait_ready)

            async def watch() -> None:
                await in_thread(process.popen.wait)
                dead.set()

            watching = asyncio.create_task(watch())
            yield dead
            await watching

    @asynccontextmanager
    async def holding_up(self, note: str) -> AsyncGenerator[None]:
        key = notes.AddLine(note_id=note, line="").key(self._given.brand)
        async with self._given.context.writer.connect() as connection:
            # A note that is not there cannot be locked: whoever adds it waits for this insertion.
            if not await notes.lock_notes(connection, [key]):
                await connection.execute(
                    text("INSERT INTO note VALUES (:brand, :id, 'nobody')"),
                    {"brand": key.brand, "id": key.id},
                )
            yield
            await connection.rollback()

    async def is_held_up(self) -> bool:
        [(waiting,)] = await self._given.fetch(_WAITING)
        return waiting > 0

    async def kill_broker(self) -> None:
        await self._breakable.kill("kafka")

    async def start_broker(self) -> None:
        await self._breakable.start_again("kafka")


class TestOnAiokafka(TransportSuite):
    """Each law of the suite."""

    @pytest.fixture
    def transport(self, given_breakable: Given, breakable: Breakable) -> OnAiokafka:  # pyright: ignore[reportIncompatibleMethodOverride]  a fixture takes fixtures
        return OnAiokafka(given_breakable, breakable)
