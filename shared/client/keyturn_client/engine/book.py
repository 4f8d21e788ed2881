"""The engine's file and log, as the parts of a running engine share them."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from keyturn_client.engine import journal
from keyturn_client.engine.journal import Position, Who
from keyturn_client.engine.store import InOneThread, Store

P = ParamSpec("P")
R = TypeVar("R")


class Book:
    """Reads and writes the file, and knows which epoch this process is in."""

    def __init__(self, store: Store, who: Who) -> None:
        self.who = who
        self.epoch = 0
        self.written = asyncio.Event()
        """There may be something to send."""
        self.sent = asyncio.Event()
        """Something was sent."""
        self._thread = InOneThread(store)

    async def read(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        return await self._thread.do(work, *args, **kwargs)

    async def write(
        self,
        work: Callable[Concatenate[sqlite3.Connection, Who, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Run what appends to the log; it is sent soon after."""
        try:
            return await self._thread.do(work, self.who, *args, **kwargs)
        finally:
            self.written.set()

    async def begin_epoch(self, above: int) -> Position:
        begun = await self.write(journal.begin_epoch, above=above)
        self.epoch = begun.epoch
        return begun

    def close(self) -> None:
        self._thread.close()
