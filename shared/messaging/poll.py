"""One poll as one transaction: position, news, commands and what is held, all or nothing."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import cast

from keyturn_contracts.message import Command, Event, Key, Message
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.messaging import held_store, position, unreadable
from shared.messaging.batch import Arrival, Batch, NotApplied, apply_commands, apply_news
from shared.messaging.envelope import Asked, CommandId, News
from shared.messaging.failures import name_of
from shared.messaging.handlers import Handlers
from shared.messaging.held import (
    Due,
    HeldKey,
    HeldRecord,
    Limits,
    NewlyHeld,
    Place,
    Standing,
    Taken,
    stand,
)
from shared.messaging.members import (
    Listed,
    LoadListed,
    Person,
    is_unlisted,
    load_listed,
    narrowed,
    people_of,
)
from shared.messaging.outcomes import AnyOutcome
from shared.messaging.position import Owned
from shared.messaging.record import (
    Content,
    Parse,
    Partition,
    RawRecord,
    Received,
    RefusedOnArrival,
    Unreadable,
)
from shared.messaging.rounds import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Consuming:
    """What stays the same from poll to poll."""

    handlers: Handlers
    parse: Parse
    """Reads held records again."""
    members: LoadListed = load_listed
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What a poll brought, and what is ours."""

    owned: Mapping[Partition, Owned]
    """All that is assigned to us, as it stands; held commands of these are taken up too."""
    received: Sequence[Received]
    """Of each partition in the order of its log, without a gap that we know of."""
    now: datetime


@dataclass(frozen=True, slots=True)
class Blame:
    """Why the one record of a part, which failed alone, is set apart unseen."""

    error: Exception
    is_hopeless: bool = False
    """It could not even be held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What of a poll is done in this transaction; all of it, unless something in it fails."""

    received: Sequence[Received]
    takes_up: bool = True
    """Whether held commands that are due are taken up."""
    alone: HeldKey | None = None
    """The one key of which the first held command is taken up, and nothing else."""
    blame: Blame | None = None
    """Of a part with one record, or one that is taken up alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """A command that was held, or is held on after it was tried."""

    key: Key
    id: CommandId | None
    standing: Standing
    cause: Exception | None


@dataclass(slots=True, kw_only=True)
class Processed:
    """What a poll has come to, for whoever counts, logs and plans the next one."""

    owned: dict[Partition, Owned]
    answers: list[tuple[CommandId, AnyOutcome]] = field(
        default_factory=list[tuple[CommandId, AnyOutcome]]
    )
    """Everything that was answered, repeats included."""
    later: list[CommandId] = field(default_factory=list[CommandId])
    held: list[Put] = field(default_factory=list[Put])
    not_applied: list[NotApplied] = field(default_factory=list[NotApplied])
    """News that is kept as unreadable because its listener raised."""
    unreadable: list[tuple[RawRecord, Unreadable]] = field(
        default_factory=list[tuple[RawRecord, Unreadable]]
    )
    """All that was kept or counted as unreadable, `not_applied` included."""
    kinds: set[type[Message]] = field(default_factory=set[type[Message]])
    """Of the commands that were decided and the news that was applied."""
    news: int = 0
    announced: int = 0
    alone: list[HeldKey] = field(default_factory=list[HeldKey])
    """Keys whose first held command is due in a transaction of its own."""
    next_due: datetime | None = None
    """When the next held command is due, as far as known."""

    @property
    def failures(self) -> int:
        """How many messages failed in our own code; never one that was refused or forged."""
        failed = [one for one in self.held if one.standing.state in {"retried", "parked"}]
        return len(failed) + len(self.not_applied)

    @property
    def is_to_be_sent(self) -> bool:
        """Whether the outbox may have got something."""
        return bool(self.announced or self.answers)

    def add(self, later: "Processed") -> None:
        """Add what another transaction came to after this one."""
        self.owned = later.owned
        self.answers += later.answers
        self.later += later.later
        self.held += later.held
        self.not_applied += later.not_applied
        self.unreadable += later.unreadable
        self.kinds |= later.kinds
        self.news += later.news
        self.announced += later.announced
        self.alone += [key for key in later.alone if key not in self.alone]
        self.next_due = min(filter(None, (self.next_due, later.next_due)), default=None)


async def process_poll(
    connection: AsyncConnection, consuming: Consuming, poll: Poll, part: Part | None = None
) -> Processed:
    """Apply a poll in the caller's transaction; `Fenced` where it is not ours any more.

    Positions are locked and advanced first; then news; then commands, known ones recalled, those
    behind a held key held, due held ones in front of the new ones of their key.
    """
    todo = part or Part(received=poll.received)
    work = _Work(connection, consuming, poll, todo)
    await work.run()
    return work.done


class _Work:
    """The state of one transaction."""

    def __init__(
        self, connection: AsyncConnection, consuming: Consuming, poll: Poll, part: Part
    ) -> None:
        self._connection = connection
        self._consuming = consuming
        self._poll = poll
        self._part = part
        self._record_of: dict[Turn, RawRecord] = {}
        self._before: dict[Turn, HeldRecord] = {}
        self._standings: dict[Place, Standing] = {}
        self._newly: list[NewlyHeld] = []
        self._listed: Mapping[Person, Listed] = {}
        self.done = Processed(owned=dict(poll.owned))

    async def run(self) -> None:
        moves = {one.record.source: one.record.offset + 1 for one in self._part.received}
        news = [one for one in self._part.received if isinstance(one.content, News)]
        due = await self._look(has_news=bool(news))
        alone = self._part.alone
        also = due.partitions if alone is None else [alone.partition]
        await position.lock(self._connection, self._poll.owned, moves, also)
        self.done.owned |= {
            partition: self._poll.owned[partition].at(offset) for partition, offset in moves.items()
        }
        await self._apply_news(news)
        taken = await self._take_up(due, has_news=bool(news))
        await self._apply_commands(taken, has_held=due.has_held)
        await self._write_held(taken)
        if self.done.unreadable:
            await unreadable.keep(self._connection, self.done.unreadable, self._poll.now)

    @property
    def _partitions(self) -> Collection[Partition]:
        return self._poll.owned.keys()

    async def _look(self, *, has_news: bool) -> Due:
        if not self._part.takes_up or self._part.alone is not None:
            return Due(frozenset(), (), None, has_held=True)
        due = await held_store.look(
            self._connection, self._partitions, self._poll.now, has_news=has_news
        )
        self.done.alone += due.alone
        self._note_due(due.next_at)
        return due

    def _note_due(self, due: datetime | None) -> None:
        self.done.next_due = min(filter(None, (self.done.next_due, due)), default=None)

    async def _apply_news(self, received: Sequence[Received]) -> None:
        if not received or self._part.blame is not None:
            return
        heard = [cast("News[Event]", one.content) for one in received]
        self.done.news = len(heard)
        self.done.kinds |= {type(one.event) for one in heard}
        failed = await apply_news(self._connection, self._consuming.handlers, heard)
        record_of = {id(one.content): one.record for one in received}
        self.done.not_applied += failed
        self.done.unreadable += [
            (record_of[id(one.news)], Unreadable("not_applied", name_of(one.cause)))
            for one in failed
        ]

    async def _take_up(self, due: Due, *, has_news: bool) -> Taken:
        if self._part.alone is not None:
            return await held_store.take_first(self._connection, self._part.alone)
        if not due.partitions:
            return Taken([], frozenset(), has_more=False)
        limits = self._consuming.limits
        taken = await held_store.take_due(
            self._connection,
            due.partitions,
            self._poll.now,
            has_news=has_news,
            rows=limits.rows,
            size=limits.bytes,
        )
        if taken.has_more:
            self._note_due(self._poll.now)
        return taken

    async def _apply_commands(self, taken: Taken, *, has_held: bool) -> None:
        contents = await self._parse_again(taken.records)
        await self._note_listed([*contents, *(one.content for one in self._part.received)])
        arrivals = self._read_again(taken.records, contents)
        held_keys = await self._find_held(taken) if has_held else set[Key]()
        for one in self._part.received:
            arrivals += self._arrive(one, taken.cut, held_keys)
        self.done.kinds |= {type(one.asked.command) for one in arrivals if isinstance(one, Turn)}
        batch = Batch()
        await apply_commands(self._connection, self._consuming.handlers, arrivals, batch, held_keys)
        self.done.answers += batch.answers
        self.done.later += batch.later
        self.done.announced += len(batch.announced)
        for held in batch.held:
            self._put(held.turn, held.cause)

    async def _find_held(self, taken: Taken) -> set[Key]:
        asked = {one.content.key for one in self._part.received if isinstance(one.content, Asked)}
        others = asked - {one.key for one in taken.records}
        return await held_store.find_held(self._connection, others) if others else set()

    async def _parse_again(self, records: Sequence[HeldRecord]) -> Sequence[Content]:
        return await self._consuming.parse([one.record for one in records]) if records else []

    async def _note_listed(self, contents: Iterable[Content]) -> None:
        people = people_of(one.actor for one in contents if isinstance(one, Asked))
        if people:
            self._listed = await self._consuming.members(self._connection, people)

    def _read_again(
        self, records: Sequence[HeldRecord], contents: Sequence[Content]
    ) -> list[Arrival]:
        arrivals: list[Arrival] = []
        limits, now = self._consuming.limits, self._poll.now
        for held, content in zip(records, contents, strict=True):
            if self._part.blame is not None:
                self._put_blamed(held, self._part.blame, content)
            elif isinstance(content, Asked):
                turn = self._turn(
                    content,
                    held.record,
                    is_dropped=held.is_dropped,
                    has_waited=held.state == "waits" and now - held.first_at >= limits.wait,
                )
                self._before[turn] = held
                arrivals.append(turn)
            elif isinstance(content, RefusedOnArrival):
                arrivals.append(content)
            else:
                # Whoever signed it is not believed any more, or the contract has gone.
                found = content if isinstance(content, Unreadable) else Unreadable("topic_wrong")
                self.done.unreadable.append((held.record, found))
        return arrivals

    def _arrive(
        self, one: Received, cut: Collection[Key], held_keys: Collection[Key]
    ) -> list[Arrival]:
        content = one.content
        if self._part.blame is not None:
            self._set_apart(one, self._part.blame, held_keys)
        elif isinstance(content, Asked):
            turn = self._turn(content, one.record)
            if content.key not in cut:
                return [turn]
            self._put(turn, None)
        elif isinstance(content, RefusedOnArrival):
            return [content]
        elif isinstance(content, Unreadable):
            self.done.unreadable.append((one.record, content))
        return []

    def _turn(
        self,
        asked: Asked[Command],
        record: RawRecord,
        *,
        is_dropped: bool = False,
        has_waited: bool = False,
    ) -> Turn:
        actor = narrowed(asked.actor, self._listed)
        turn = Turn(
            asked if actor is asked.actor else replace(asked, actor=actor),
            is_dropped=is_dropped,
            has_waited=has_waited,
            is_unlisted=is_unlisted(actor, self._listed),
        )
        self._record_of[turn] = record
        return turn

    def _set_apart(self, one: Received, blame: Blame, held_keys: Collection[Key]) -> None:
        """Hold a new record that is to blame, or keep it as unreadable where it is no command."""
        content = one.content
        if isinstance(content, Asked) and not blame.is_hopeless:
            cause = None if content.key in held_keys else blame.error
            self._put(self._turn(content, one.record), cause, is_alone=True)
            return
        if isinstance(content, News):
            self.done.not_applied.append(NotApplied(content, blame.error))
        found = Unreadable("not_applied", name_of(blame.error))
        self.done.unreadable.append(
            (one.record, content if isinstance(content, Unreadable) else found)
        )

    def _put_blamed(self, held: HeldRecord, blame: Blame, content: Content) -> None:
        limits, now = self._consuming.limits, self._poll.now
        standing = stand(blame.error, held, limits, now, is_alone=True)
        self._standings[held.place] = standing
        command_id = content.id if isinstance(content, Asked) else None
        self._note(Put(key=held.key, id=command_id, standing=standing, cause=blame.error))

    def _put(self, turn: Turn, cause: Exception | None, *, is_alone: bool = False) -> None:
        before = self._before.get(turn)
        standing = stand(cause, before, self._consuming.limits, self._poll.now, is_alone=is_alone)
        if before is None:
            self._newly.append(
                NewlyHeld(
                    record=self._record_of[turn],
                    key=turn.asked.key,
                    id=turn.asked.id,
                    command=type(turn.asked.command).__name__,
                    standing=standing,
                )
            )
        else:
            self._standings[before.place] = standing
        self._note(Put(key=turn.asked.key, id=turn.asked.id, standing=standing, cause=cause))

    def _note(self, put: Put) -> None:
        self.done.held.append(put)
        self._note_due(put.standing.due)

    async def _write_held(self, taken: Taken) -> None:
        gone = {one.place for one in taken.records} - self._standings.keys()
        if self._standings:
            await held_store.keep(self._connection, self._standings)
        if gone:
            await held_store.release(self._connection, gone)
        if self._newly:
            await held_store.hold(self._connection, self._newly, self._poll.now)
        if taken.records:
            await held_store.promote(
                self._connection, {one.key for one in taken.records}, self._poll.now
            )
            if taken.cut:
                self._note_due(self._poll.now)
