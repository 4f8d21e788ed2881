"""Sending whole lists, of everything or of one account, part by part."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable

from keyturn_contracts.ids import new_id
from keyturn_contracts.workflow import BindingName, ListCompared

from keyturn_client.engine import journal
from keyturn_client.engine.book import Book
from keyturn_client.engine.journal import Part, Who

MOST_UNSENT = 4
"""Parts are cut as they can be sent: a later one is cut from a later list."""

Vanished = Callable[[list[BindingName]], Awaitable[Iterable[str]]]
"""The engine's own: of these bindings, which the service has on record and the engine's list has
not, return the workflows of which no run is left anywhere. They are deleted by name."""


class WholeLists:
    """The whole lists that are wanted, sent one after the other."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._wanted: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._closing: dict[str, str] = {}

    def want(self, scope: str) -> None:
        self._wanted[scope] = None
        self._wake.set()

    def epoch_begun(self) -> None:
        """Drop what a new epoch breaks off: who needs a list asks again."""
        self._wanted.clear()
        self._closing.clear()

    def closes(self, command_id: str) -> str | None:
        """Return the scope of the list whose last part this command is."""
        return self._closing.pop(command_id, None)

    @property
    def is_idle(self) -> bool:
        return not self._wanted and not self._closing

    async def work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._wanted:
                await self._send(next(iter(self._wanted)))

    async def _send(self, scope: str) -> None:
        list_id, part, after, epoch = new_id(), 1, "", self._book.epoch
        while True:
            self._book.sent.clear()
            if await self._book.read(_count_unsent) >= MOST_UNSENT:
                await self._book.sent.wait()
                continue
            cut = await self._book.write(
                _next_part, epoch=epoch, list_id=list_id, scope=scope, part=part, after=after
            )
            if cut is None:
                return
            if cut.last:
                self._wanted.pop(scope, None)
                self._closing[cut.entry.command_id] = scope
                return
            part, after = part + 1, cut.after


def _count_unsent(connection: sqlite3.Connection) -> int:
    (count,) = connection.execute("SELECT count(*) FROM outbox WHERE sent = 0").fetchone()
    return count


def _next_part(
    connection: sqlite3.Connection,
    who: Who,
    *,
    epoch: int,
    list_id: str,
    scope: str,
    part: int,
    after: str,
) -> Part | None:
    """Cut the next part, unless the epoch in which the list began is left."""
    if journal.position(connection).epoch != epoch:
        return None
    return journal.next_part(connection, who, list_id=list_id, scope=scope, part=part, after=after)


async def settle_vanished(
    book: Book, compared: ListCompared, is_running: Callable[[str], bool], ask: Vanished | None
) -> list[BindingName]:
    """Name what the engine can vouch for: what it had removed itself, or says to have no run left.

    Returns the rest: it may still be running somewhere with an old credential.
    """
    unknown = await book.read(_unknown, compared.vanished)
    if not unknown or ask is None:
        return unknown
    names = {one.workflow_id for one in unknown}
    vouched = {one for one in await ask(unknown) if one in names and not is_running(one)}
    await book.write(journal.name, sorted(vouched))
    return [one for one in unknown if one.workflow_id not in vouched]


def _unknown(connection: sqlite3.Connection, vanished: Iterable[BindingName]) -> list[BindingName]:
    """Leave out those that a message on its way saves or deletes by name."""
    found = list(vanished)
    on_its_way = journal.is_unsettled(connection, {one.workflow_id for one in found})
    return [one for one in found if one.workflow_id not in on_its_way]
