"""The one consumer of a service: each poll of Kafka becomes committed work, or is read again."""

import asyncio
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic
from typing import Literal

import structlog
from aiokafka import TopicPartition
from keyturn_contracts.message import Message
from keyturn_contracts.topics import commands_topic
from sqlalchemy.exc import SQLAlchemyError

from shared.decisions import NotYetKnown, Unprocessable
from shared.messaging import position
from shared.messaging.assignment import Assignment
from shared.messaging.brake import Brake
from shared.messaging.client import Client
from shared.messaging.context import Context
from shared.messaging.delivery import Unavailable, deliver
from shared.messaging.envelope import Asked, News
from shared.messaging.framework import Polled, Subscription, build_broker, subscribe
from shared.messaging.guard import guarded
from shared.messaging.handlers import Handlers
from shared.messaging.held import Limits
from shared.messaging.hints import Hints
from shared.messaging.jobs import is_ours_to_end
from shared.messaging.poll import Consuming, Poll, Processed
from shared.messaging.polling import Polling, cut
from shared.messaging.position import Fenced
from shared.messaging.reading import Reading
from shared.messaging.record import Partition, RawRecord, Received
from shared.messaging.telling import count, tell
from shared.messaging.watchdog import Patience
from shared.telemetry import metrics
from shared.telemetry.health import Health

_log = structlog.stdlib.get_logger()

LONGEST_POLL = 5.0
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 5.0

_Problem = Literal["gone", "fenced", "database", "unexpected"]
"""Why a batch was not committed. `gone`: it is somebody else's now."""


def group_of(service: str) -> str:
    """Return the name of a service's consumer group; its access lists name it too."""
    return f"keyturn.{service}"


class Consumer:
    """Reads a service's commands and the events that it listens to, and nothing past them.

    `woken` is called after every commit with the messages that were applied, or None where that is
    not known; `fail` with a sentence when the process should end.
    """

    def __init__(
        self,
        context: Context,
        handlers: Handlers,
        reading: Reading,
        *,
        cluster_id: str,
        instance: str | None,
        health: Health,
        woken: Callable[[Collection[type[Message]] | None], None],
        fail: Callable[[str], None],
        limits: Limits | None = None,
        patience: Patience | None = None,
    ) -> None:
        kafka, name = context.settings.kafka, context.settings.service
        self._writer = context.writer
        self._reading = reading
        self._consuming = Consuming(
            handlers=guarded(handlers),
            parse=reading.parse,
            limits=limits or Limits(),
            members=context.members,
        )
        self._assignment = Assignment(
            writer=context.writer,
            client=lambda: self._subscription.client,
            cluster_id=cluster_id,
            health=health,
            fail=fail,
        )
        self._polling = Polling(
            self._assignment,
            gapless=commands_topic(name),
            patience=patience or Patience(),
            fail=fail,
        )
        self._health = health
        self._woken = woken
        self._brake = Brake()
        self._hints = Hints()
        self._next_due: datetime | None = None
        self._is_busy = False
        self._broker = build_broker(kafka, client_id=instance or group_of(name))
        self._subscription: Subscription = subscribe(
            self._broker,
            reading.topics,
            group=group_of(name),
            instance=instance,
            listener=self._assignment,
            poll=self._poll,
            handle=self._handle,
        )

    async def start(self) -> None:
        """Join the group; returns when partitions were assigned."""
        await self._broker.start()

    async def stop(self) -> None:
        """Finish the transaction in hand, and leave."""
        await self._hints.stop()
        await self._broker.stop()

    @property
    def is_running(self) -> bool:
        return self._subscription.is_running

    @property
    def is_leaving(self) -> bool:
        """Whether it reads nothing more, and at most finishes what is in hand."""
        return self._subscription.is_leaving

    @property
    def is_assigned(self) -> bool:
        return self._assignment.is_complete

    @property
    def is_busy(self) -> bool:
        return self._is_busy or self._brake.is_on

    def applied(self) -> Mapping[Partition, int]:
        return {one: owned.next_offset for one, owned in self._assignment.owned.items()}

    async def ends(self) -> Mapping[Partition, int]:
        client, wanted = self._subscription.client, [*self._assignment.owned]
        if client is None or not wanted:
            return {}
        found = await client.end_offsets([TopicPartition(*one) for one in wanted])
        return {Partition(one.topic, one.partition): end for one, end in found.items()}

    async def _poll(self, client: Client) -> Polled:
        if self._brake.is_on:
            # Until somebody starts it again: in the next poll the same code would fail again.
            await asyncio.get_running_loop().create_future()
        seconds = LONGEST_POLL
        if self._next_due is not None:
            until_due = (self._next_due - datetime.now(UTC)).total_seconds()
            seconds = min(max(until_due, 0.0), LONGEST_POLL)
        records = await self._polling.poll(client, seconds)
        # As it is now: partitions may have come and gone while the poll waited.
        return Polled(self._assignment.generation, records)

    async def _handle(self, polled: Polled) -> None:
        if not self._assignment.owned:
            return
        began = monotonic()
        self._is_busy = True
        try:
            for batch in list(cut(list(polled.records))) or [[]]:
                if not await self._apply(batch, polled.generation):
                    return
        finally:
            self._is_busy = False
        if polled.records:
            metrics.BATCH_SECONDS.observe(monotonic() - began)
            metrics.BATCH_RECORDS.observe(len(polled.records))

    async def _apply(self, batch: list[RawRecord], generation: int) -> bool:
        """Apply a batch, however often it takes; False when it is somebody else's meanwhile.

        Nothing is lost by that: whoever has the partition reads it from where it stands. What the
        database did not bear is tried again by halves, and so is what is held and taken up with it:
        of less at a time it may be quick enough.
        """
        pause, at_once, held = _FIRST_PAUSE, len(batch), self._consuming.limits.rows
        while generation == self._assignment.generation:
            left = self._not_applied(batch)
            if batch and not left:
                return True
            problem = await self._try(left[:at_once], generation, held)
            if problem == "gone":
                return False
            if problem is None:
                if at_once >= len(left):
                    return True
                pause, at_once, held = _FIRST_PAUSE, at_once * 2, held * 2
                continue
            if problem == "database":
                at_once, held = max(1, min(at_once, len(left)) // 2), max(1, held // 2)
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  spreads retries
            pause = min(pause * 2, _LONGEST_PAUSE)
        return False

    async def _try(self, batch: list[RawRecord], generation: int, held: int) -> _Problem | None:
        """Commit a batch and so many of those held that are due.

        Where that fails, find out where we stand, and return why.
        """
        error: Exception | None = None
        try:
            async with self._assignment.in_hand:
                if generation != self._assignment.generation:
                    return "gone"
                await self._commit(batch, held)
                return None
        except asyncio.CancelledError:
            if is_ours_to_end():
                raise
            # Somebody else's task was cancelled, and whoever awaited it got this.
            problem = "unexpected"
        except Fenced:
            problem = "fenced"
        except (Unavailable, SQLAlchemyError, OSError) as caught:
            problem, error = "database", caught
        except Exception as caught:  # noqa: BLE001  whatever it is, the batch is not lost
            problem, error = "unexpected", caught
        await self._be_doubtful(problem, error)
        return problem

    def _not_applied(self, batch: list[RawRecord]) -> list[RawRecord]:
        owned = self._assignment.owned
        return [
            one
            for one in batch
            if one.source in owned and one.offset >= owned[one.source].next_offset
        ]

    async def _commit(self, batch: list[RawRecord], held: int) -> None:
        contents = await self._reading.parse(batch)
        received = [Received(*pair) for pair in zip(batch, contents, strict=True)]
        now = datetime.now(UTC)
        poll = Poll(owned=self._assignment.owned, received=received, now=now)
        limits = self._consuming.limits
        limits = replace(limits, rows=min(held, limits.rows))
        done = await deliver(self._writer, replace(self._consuming, limits=limits), poll)
        self._assignment.owned = done.owned
        self._next_due = done.next_due
        self._woken(done.kinds)
        count(received, done)
        tell(done)
        self._consider_brake(received, done)
        if batch and (client := self._subscription.client) is not None:
            self._hints.give(
                client, {one.source: done.owned[one.source].next_offset for one in batch}
            )

    async def _be_doubtful(self, cause: str, error: Exception | None) -> None:
        """Ask the database where we stand, and believe it: it may have committed all the same."""
        metrics.BATCH_RETRIES.labels(cause=cause).inc()
        _log.error("a batch is tried again", cause=cause, exc_info=error)
        ours = self._assignment.owned
        try:
            async with self._writer.connect() as connection:
                found = await position.read(connection, ours.keys())
        except (SQLAlchemyError, OSError, TimeoutError) as unreachable:
            _log.error("the database cannot be asked either", exc_info=unreachable)
            return
        lost = [one for one, owned in ours.items() if found.get(one, owned).epoch != owned.epoch]
        self._assignment.owned = {**ours, **found}
        if lost:
            self._assignment.let_go(lost)
        self._woken(None)
        # What is due is asked for again: the answer to it was lost with the rest.
        self._next_due = datetime.now(UTC)

    def _consider_brake(self, received: list[Received], done: Processed) -> None:
        failed = [
            one
            for one in done.held
            if one.standing.attempts == 1
            and one.cause is not None
            and not isinstance(one.cause, NotYetKnown | Unprocessable)
        ]
        arrived = [one for one in received if isinstance(one.content, Asked | News)]
        self._brake.note(arrived=len(arrived), failed=len(failed) + len(done.not_applied))
        metrics.BRAKE.set(self._brake.is_on)
        if self._brake.is_on:
            self._health.is_missing("brake", "is on: most of what arrives fails in our own code")
            _log.critical("the consumer stands still: most of what arrives fails in our own code")
