"""Sending the engine's commands in order, and hearing what came of them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from keyturn_contracts.message import CommandApplied, CommandRefused

from keyturn_client.commands import Signer
from keyturn_client.engine import journal
from keyturn_client.engine.book import Book
from keyturn_client.engine.journal import Entry
from keyturn_client.http import Http
from keyturn_client.outcomes import LONGEST_WAIT, ask_outcome
from keyturn_client.pauses import Pauses
from keyturn_client.problems import EngineStoppedError, KeyturnError, UnreachableError
from keyturn_client.wire import Publisher

log = logging.getLogger("keyturn_client")

_AT_ONCE = 100
_BYTES_AT_ONCE = 2_000_000
_ASKED_AT_ONCE = 8
_NONE_YET = 0.05

Took = Callable[[Entry, CommandApplied | CommandRefused], Awaitable[bool]]
"""Takes an outcome; False where the outcomes that follow are of an epoch that was left."""


class Courier:
    """Sends what is in the log, in the order of its numbers, until each has its outcome."""

    def __init__(
        self, book: Book, publisher: Publisher, http: Http, signer: Signer, *, patience: float
    ) -> None:
        self._book = book
        self._publisher = publisher
        self._http = http
        self._signer = signer
        self._patience = patience
        self._on_its_way = asyncio.Event()

    async def send(self) -> None:
        """Send what has no acknowledgement, for ever.

        The next command does not wait for the outcome of the one before: both are in one partition,
        and a producer that lost one writes none after it.
        """
        pauses = Pauses()
        while True:
            self._book.written.clear()
            batch = await self._book.read(
                journal.unsent, self._book.who, most=_AT_ONCE, most_bytes=_BYTES_AT_ONCE
            )
            if not batch:
                await self._book.written.wait()
                continue
            records = [
                self._signer.record(prepared, epoch=entry.epoch, number=entry.number)
                for entry, prepared in batch
            ]
            try:
                await self._publisher.send(records)
            except UnreachableError as error:
                log.warning("%s", error)
                await asyncio.sleep(pauses.next())
                continue
            pauses.reset()
            await self._book.read(journal.sent, [entry for entry, _ in batch])
            self._on_its_way.set()
            self._book.sent.set()

    async def hear(self, took: Took) -> None:
        """Ask for the outcome of everything that was sent, in order, for ever."""
        pauses, doubts = Pauses(), Pauses(first=self._patience, most=self._patience * 16)
        loop = asyncio.get_running_loop()
        first, doubt_at = "", 0.0
        while True:
            self._on_its_way.clear()
            entries = await self._book.read(journal.awaited, most=_ASKED_AT_ONCE)
            if not entries:
                doubts.reset()
                await self._on_its_way.wait()
                continue
            if entries[0].command_id != first:
                first, doubt_at = entries[0].command_id, loop.time() + doubts.next()
            elif loop.time() > doubt_at:
                doubt_at = loop.time() + doubts.next()
                log.warning("No outcome of number %d has come: sending again", entries[0].number)
                await self._book.read(journal.send_again)
                self._book.written.set()
                continue
            try:
                if not await self._hear_some(entries, took):
                    # A service waits before it says that there is none; whatever says so at once
                    # is not asked without end.
                    await asyncio.sleep(_NONE_YET)
                pauses.reset()
            except EngineStoppedError:
                raise
            except KeyturnError as error:
                log.warning("%s", error)
                await asyncio.sleep(pauses.next())

    async def _hear_some(self, entries: list[Entry], took: Took) -> bool:
        """Take what has come, up to the first that has not; False where nothing has."""
        seconds = min(LONGEST_WAIT, self._patience)
        asked = [
            asyncio.ensure_future(ask_outcome(self._http, "workflow", entry.command_id, seconds))
            for entry in entries
        ]
        try:
            for entry, answer in zip(entries, asked, strict=True):
                outcome = await answer
                if outcome is None:
                    return entry is not entries[0]
                if not await took(entry, outcome):
                    break
            return True
        finally:
            for one in asked:
                one.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
