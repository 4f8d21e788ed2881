"""Answers questions from memory where that is as good as the database, and else from there."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from weakref import WeakValueDictionary

from keyturn_contracts.actor import Actor
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.remembering.asked import Answer, Asked, Needed, as_listed, recall
from services.access.remembering.lending import Lending, lending_key
from services.access.remembering.memory import Memory, Question, View
from services.access.remembering.reading import Read, read
from services.access.remembering.watch import Watch
from services.access.settings import AccessSettings
from shared.http.brand import connection_for
from shared.messaging.context import Context
from shared.messaging.outbox import load_revision

MOST = 5000
"""How many questions are read and decided together, unless one alone asks more."""
PATIENCE = 2.0
"""How many seconds a revision is waited for that the service does not know."""
_PAUSE = 0.05


class UnknownRevision(Exception):  # noqa: N818  it says what was asked
    """A revision that the database has not come to."""


@dataclass
class _Gathering:
    """Those who wait to be answered about a brand, while others are."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: list[Asked] = field(default_factory=list[Asked])

    def take_with(self, asked: Asked) -> list[Asked]:
        """Return who is answered in this turn: it, and as many others as are few enough."""
        together, left, size = [asked], list[Asked](), asked.size
        for one in self.waiting:
            if one is asked or one.is_settled:
                continue
            size += one.size
            (together if size <= MOST else left).append(one)
        self.waiting = left
        return together


class Deciding:
    """What decides in one process."""

    def __init__(
        self,
        context: Context,
        settings: AccessSettings,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._context = context
        self.memory = Memory(settings.decisions_kept, clock)
        self.watch = Watch(context.writer, context.redis, self.memory, settings)
        self._lending = _lending(context, settings)
        self._gatherings = WeakValueDictionary[str, _Gathering]()
        """Of each brand somebody asks about now."""

    def recall(self, actor: Actor, needed: Needed, at_least: int) -> Answer | None:
        """Return what is remembered of all that is needed, or None where anything is missing."""
        view = self._view(actor.brand, at_least)
        return None if view is None else recall(view, actor, needed)

    async def answer(self, actor: Actor, needed: Needed, at_least: int, *, size: int) -> Answer:
        """Return decisions as new as a revision that somebody was told, or newer.

        `size`: about how many are needed. Raises `UnknownRevision`. Whoever knows a revision knows
        it from a commit. Where the database is asked, its snapshot is taken after they have asked,
        so it shows that commit.
        """
        asked = Asked(actor, needed, size)
        if not at_least or self._view(actor.brand, at_least) is not None:
            await self._answer_together(asked)
        else:
            await self._answer_as_new_as(asked, at_least)
        return asked.result()

    async def _answer_together(self, asked: Asked) -> None:
        """Have it answered in one go with all who ask about the brand before their turn comes.

        Whoever has their turn answers for those who wait. Where nothing can be read that is so for
        all of them: each by themselves would wait for it one after the other.
        """
        brand = asked.actor.brand
        gathering = self._gatherings.get(brand)
        if gathering is None:
            gathering = self._gatherings[brand] = _Gathering()
        gathering.waiting.append(asked)
        async with gathering.turn:
            if asked.is_settled:
                return
            together = gathering.take_with(asked)
            found = None
            try:
                found = await self._read_for(brand, together)
            except Exception as error:  # noqa: BLE001  it is raised for each of them
                for one in together:
                    one.fail(error)
            finally:
                # Whoever was cancelled has answered nobody: the next has them in their turn.
                gathering.waiting += [one for one in together[1:] if not one.is_settled]
        if found is not None:
            await self._lend(*found)

    async def _read_for(
        self, brand: str, together: Sequence[Asked]
    ) -> tuple[View | None, Read] | None:
        """Settle all of them; return what was read for it, or None where nothing had to be."""
        await self._borrow(brand, together)
        unsettled = [one for one in together if not one.is_settled]
        if not unsettled:
            return None
        view = self.memory.view(brand)
        async with connection_for(self._context, brand) as connection:
            found = await self._read(connection, brand, view, unsettled)
        await self._remember(view, found)
        return view, found

    async def _answer_as_new_as(self, asked: Asked, at_least: int) -> None:
        # Whatever the memory is told meanwhile: what is read is compared with what it knew.
        brand = asked.actor.brand
        view = self.memory.view(brand)
        deadline = monotonic() + PATIENCE
        while True:
            async with connection_for(self._context, brand) as connection:
                is_there = await load_revision(connection) >= at_least
                found = await self._read(connection, brand, view, [asked]) if is_there else None
            if found is not None:
                await self._remember(view, found)
                await self._lend(view, found)
                return
            if monotonic() > deadline:
                raise UnknownRevision
            await asyncio.sleep(_PAUSE)

    async def _read(
        self, connection: AsyncConnection, brand: str, view: View | None, asked: Sequence[Asked]
    ) -> Read:
        found = await read(connection, self._context.members, brand, view, asked)
        if found.known.has_changed:
            # So may what was known of who asks.
            await read(connection, self._context.members, brand, None, asked)
        return found

    def _view(self, brand: str, at_least: int) -> View | None:
        view = self.memory.view(brand)
        return view if view is not None and view.settled >= at_least else None

    async def _borrow(self, brand: str, asked: Sequence[Asked]) -> None:
        """Answer those of whom all that is missing is in Redis, or is remembered meanwhile."""
        view = self.memory.view(brand)
        if view is None:
            return
        missing: set[Question] = set()
        for one in asked:
            if (caller := as_listed(view, one.actor)) is not None:
                missing.update(one.questions_of(caller))
        missing.difference_update(view.brand.decisions)
        self.memory.add(view, await self._lending.find(view, missing), {})
        # Once more: something may have changed, or run out, while Redis was asked.
        again = self.memory.view(brand)
        if again is None or again.brand is not view.brand:
            return
        for one in asked:
            if not one.is_settled:
                one.answer = recall(again, one.actor, one.needed)

    async def _remember(self, view: View | None, found: Read) -> None:
        """Keep what was decided, unless it is of another moment than what is kept already."""
        if view is None:
            return
        if found.known.has_changed:
            # What is remembered is older: it is let go, and the next is looked for at once.
            self.memory.doubt([view.brand.name])
            await self.watch.look_for([view.brand.name])
        else:
            self.memory.add(view, found.decisions, found.listed)

    async def _lend(self, view: View | None, found: Read) -> None:
        if view is not None and not found.known.has_changed:
            await self._lending.keep(view.brand.name, found.decisions, found.known.snapshot)


def _lending(context: Context, settings: AccessSettings) -> Lending:
    key = lending_key(context.settings.database) if context.redis is not None else b""
    return Lending(context.redis, key, settings.redis_patience_seconds)
