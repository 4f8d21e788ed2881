"""Answers questions from memory where that is as good as the database, and else from there."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import cast

from keyturn_contracts.access import EVERYONE
from keyturn_contracts.actor import Actor
from keyturn_contracts.reasons import explain, explain_extension
from keyturn_contracts.rights import Action, Facts, decide, decide_extension
from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.queries.facts import Known, Wanted, load_facts, load_revision
from services.access.remembering.lending import Lending, lending_key
from services.access.remembering.memory import Memory, Question, Remembered, View
from services.access.remembering.watch import Watch
from services.access.settings import AccessSettings
from shared.http.brand import connection_for
from shared.messaging.context import Context
from shared.messaging.members import Listed, narrowed, people_of

PATIENCE = 2.0
"""How many seconds a revision is waited for that the service does not know."""
_PAUSE = 0.05

Needed = Callable[[Actor], Sequence[Question]]
"""What whoever asks, with the roles that the list leaves them, needs decided; it may refuse."""


class UnknownRevision(Exception):  # noqa: N818  it says what was asked
    """A revision that the database has not come to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Decisions, all of one moment."""

    caller: Actor
    """With the roles that the list leaves them."""
    decisions: Sequence[Remembered]
    """In the order of what was needed."""
    revision: int
    """It is at least as new as this."""
    at: datetime


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read from the database at once, and decided by it."""

    answer: Answer
    known: Known
    decisions: Mapping[Question, Remembered]
    listed: Mapping[str, Listed | None]


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

    def recall(self, actor: Actor, needed: Needed, at_least: int) -> Answer | None:
        """Return what is remembered of all that is needed, or None where anything is missing."""
        view = self._view(actor, at_least)
        return None if view is None else self._from_memory(view, actor, needed)

    async def answer(self, actor: Actor, needed: Needed, at_least: int) -> Answer:
        """Return decisions as new as a revision that somebody was told, or newer.

        Raises `UnknownRevision`. Whoever knows a revision knows it from a commit. Where the
        database is asked, its snapshot is taken after they have asked, so it shows that commit.
        """
        view = self._view(actor, at_least)
        if view is not None and (found := await self._borrow(view, actor, needed)):
            return found
        # Whatever the memory has been told since: what is read now is compared with what it knew.
        view = self.memory.view(actor.brand)
        deadline = monotonic() + PATIENCE
        while True:
            async with connection_for(self._context, actor.brand) as connection:
                is_there = not at_least or await load_revision(connection) >= at_least
                read = await self._read(connection, view, actor, needed) if is_there else None
            if read is not None:
                await self._remember(view, read)
                return read.answer
            if monotonic() > deadline:
                raise UnknownRevision
            await asyncio.sleep(_PAUSE)

    def _view(self, actor: Actor, at_least: int) -> View | None:
        view = self.memory.view(actor.brand)
        return view if view is not None and view.settled >= at_least else None

    def _from_memory(self, view: View, actor: Actor, needed: Needed) -> Answer | None:
        caller = _as_listed(view, actor)
        if caller is None:
            return None
        at = datetime.now(UTC)
        remembered = view.brand.decisions
        decisions: list[Remembered] = []
        for question in needed(caller):
            found = remembered.get(question)
            if found is None or (found.until is not None and found.until <= at):
                return None
            decisions.append(found)
        return Answer(caller, decisions, view.revision, at)

    async def _borrow(self, view: View, actor: Actor, needed: Needed) -> Answer | None:
        """Take what is missing from Redis, where all of it is there."""
        caller = _as_listed(view, actor)
        if caller is None:
            return None
        missing = {one for one in needed(caller) if one not in view.brand.decisions}
        found = await self._lending.find(view, missing)
        if found is None:
            return None
        self.memory.add(view, found, {})
        # Once more: something may have changed, or run out, while Redis was asked.
        again = self._view(actor, 0)
        if again is None or again.brand is not view.brand:
            return None
        return self._from_memory(view, actor, needed)

    async def _read(
        self, connection: AsyncConnection, view: View | None, actor: Actor, needed: Needed
    ) -> "_Read":
        people = people_of([actor])
        listed = await self._context.members(connection, people) if people else {}
        caller = narrowed(actor, listed)
        questions = needed(caller)
        seen = view.seen if view is not None else None
        known = await load_facts(connection, actor.brand, _wanted(questions), seen)
        # Afterwards: what ran out while the facts were read does not count.
        at = datetime.now(UTC)
        decisions = {one: decide_one(known.facts, one, at) for one in questions}
        answer = Answer(caller, [decisions[one] for one in questions], known.revision, at)
        said: dict[str, Listed | None] = {
            subject: listed.get((brand, subject)) for brand, subject in people
        }
        return _Read(answer, known, decisions, said)

    async def _remember(self, view: View | None, read: "_Read") -> None:
        """Keep what was decided, unless it is of another moment than what is kept already."""
        if view is None:
            return
        brand = view.brand.name
        if read.known.has_changed:
            # What is remembered is older: it is let go, and the next is looked for at once.
            self.memory.doubt([brand])
            await self.watch.look_for([brand])
            return
        self.memory.add(view, read.decisions, read.listed)
        await self._lending.keep(brand, read.decisions, read.known.snapshot)


def _lending(context: Context, settings: AccessSettings) -> Lending:
    key = lending_key(context.settings.database) if context.redis is not None else b""
    return Lending(context.redis, key, settings.redis_patience_seconds)


def decide_one(facts: Facts, asked: Question, at: datetime) -> Remembered:
    """Decide, and say why, and until when nothing but a change can make it another decision."""
    member, action, account_id, extension = asked
    if account_id is None:
        name = extension or ""
        decision = decide_extension(facts, member, name)
        said = explain_extension(facts, decision, member=member, extension=name)
        until = None
    else:
        what = cast("Action", action)
        decision = decide(facts, member, what, account_id, at)
        said = explain(facts, decision, member=member, action=what, account_id=account_id, at=at)
        until = _first_end(facts, member, account_id, at)
    body: dict[str, object] = {"allowed": decision.allowed, "code": decision.code}
    if decision.way is not None:
        body["way"] = decision.way
    body |= {"message": said[-1], "facts": said}
    return Remembered(to_json(body), decision.allowed, until)


def _first_end(facts: Facts, member: str, account_id: str, at: datetime) -> datetime | None:
    """Return when the first grant ends by itself that may count now: from then on it is asked."""
    grants = facts.grants.get(account_id, {})
    held = [grants[one] for one in (member, EVERYONE) if one in grants]
    ends = [one.until for one in held if one.until is not None and one.holds_at(at)]
    return min(ends, default=None)


def _as_listed(view: View, actor: Actor) -> Actor | None:
    """Return who asks with the roles that the list leaves them, or None where it is not known."""
    if not people_of([actor]):
        return actor
    if actor.subject not in view.brand.listed:
        return None
    said = view.brand.listed[actor.subject]
    return actor if said is None else narrowed(actor, {(actor.brand, actor.subject): said})


def _wanted(questions: Iterable[Question]) -> Wanted:
    wanted = Wanted()
    for one in questions:
        if one.account_id is not None:
            wanted.accounts.add((one.account_id, one.member))
        elif one.extension is not None:
            wanted.extensions.add((one.extension, one.member))
    return wanted
