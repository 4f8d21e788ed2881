"""A batch of messages in the caller's transaction, with a fixed number of statements."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial

from keyturn_contracts.message import AnnouncedEvent, Command, Event, Key
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.messaging import inbox
from shared.messaging.desk import Arrival, Desk, is_remembered
from shared.messaging.envelope import Asked, CommandId, News
from shared.messaging.failures import do_all_or_each
from shared.messaging.handlers import Handlers
from shared.messaging.inbox import Remembered
from shared.messaging.outbox import Announcement, announce_all, revision_after
from shared.messaging.outcomes import AnyOutcome
from shared.messaging.record import RefusedOnArrival
from shared.messaging.rounds import Held, Turn, Work, work_off

__all__ = ["Batch", "Held", "NotApplied", "RefusedOnArrival", "Turn", "apply_batch"]

Message = Asked[Command] | News[Event] | RefusedOnArrival


@dataclass(frozen=True, slots=True)
class NotApplied:
    """News that its listener raised for, alone too."""

    news: News[Event]
    cause: Exception


@dataclass(slots=True)
class Batch:
    """What a batch has come to. What is `held` has left no trace: the caller keeps it."""

    answers: list[tuple[CommandId, AnyOutcome]] = field(
        default_factory=list[tuple[CommandId, AnyOutcome]]
    )
    """Everything that was answered, repeats with their old outcome included."""
    later: list[CommandId] = field(default_factory=list[CommandId])
    """New commands that a job will answer."""
    announced: list[AnnouncedEvent] = field(default_factory=list[AnnouncedEvent])
    held: list[Held] = field(default_factory=list[Held])
    not_applied: list[NotApplied] = field(default_factory=list[NotApplied])


async def apply_batch(
    connection: AsyncConnection, handlers: Handlers, messages: Sequence[Message]
) -> Batch:
    """Apply messages in the caller's transaction, each once: news first, then commands.

    Commands of one key see each other's effect, in the order of the log. What a rule raises holds
    its own message, and the later ones of that key; nobody else notices.
    """
    batch = Batch()
    news = [one for one in messages if isinstance(one, News)]
    batch.not_applied += await apply_news(connection, handlers, news)
    await apply_commands(
        connection,
        handlers,
        [
            Turn(one) if isinstance(one, Asked) else one
            for one in messages
            if not isinstance(one, News)
        ],
        batch,
    )
    return batch


async def apply_news(
    connection: AsyncConnection, handlers: Handlers, news: Sequence[News[Event]]
) -> list[NotApplied]:
    """Hand news to the listeners, all of a kind at once; return what could not be applied."""
    not_applied: list[NotApplied] = []
    for listener in handlers.listeners:
        if heard := [one for one in news if isinstance(one.event, listener.event)]:
            parted = await do_all_or_each(connection, heard, partial(listener.save, connection))
            not_applied += [NotApplied(one, cause) for one, cause in parted.failed]
    return not_applied


async def apply_commands(
    connection: AsyncConnection,
    handlers: Handlers,
    arrivals: Sequence[Arrival],
    batch: Batch,
    held_keys: Collection[Key] = (),
) -> None:
    """Apply commands in the order of the log; those of `held_keys` that are not known are held."""
    if not arrivals:
        return
    desk = Desk(await _recall(connection, arrivals))
    for arrival in arrivals:
        desk.receive(arrival)
    work = Work(held_keys=set(held_keys))
    await work_off(connection, handlers, desk.fresh, work)
    announced = await announce_all(
        connection,
        [
            Announcement(event, one.asked.id.brand, one.asked.id, None, one.asked.trace_parent)
            for one, event in work.events
        ],
        (),
    )
    revision = await revision_after(connection, announced) if work.decisions else 0
    desk.conclude(work, announced, revision)
    batch.announced += [one.event for one in announced]
    batch.answers += [(reply.command, reply.outcome) for reply in desk.answers]
    batch.later += desk.later
    batch.held += work.held
    if desk.entries:
        await inbox.remember(connection, list(desk.entries.values()), desk.replaced)
    if desk.replies:
        await announce_all(connection, (), desk.replies)


async def _recall(
    connection: AsyncConnection, arrivals: Sequence[Arrival]
) -> dict[CommandId, Remembered]:
    ids = {
        one.asked.id if isinstance(one, Turn) else one.id
        for one in arrivals
        if isinstance(one, Turn) or is_remembered(one)
    }
    return await inbox.recall(connection, ids) if ids else {}
