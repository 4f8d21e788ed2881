"""Ends a process that looks alive and is not: the supervisor starts it again."""

import asyncio
import faulthandler
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

import structlog
from aiokafka.errors import KafkaError

from shared.messaging.record import Partition
from shared.telemetry import metrics

_log = structlog.stdlib.get_logger()

FROZEN_EXIT = 70
"""The exit code of a process whose loop did not turn any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long each thing may take, in seconds, before the process is ended."""

    every: float = 5.0
    frozen: float = 30.0
    unassigned: float = 60.0
    standstill: float = 60.0
    refused: float = 30.0
    """Every poll, by Kafka itself."""


class Watched(Protocol):
    """What a consumer shows of itself."""

    @property
    def is_running(self) -> bool:
        """Whether its loop is alive."""
        ...

    @property
    def is_assigned(self) -> bool:
        """Whether what the group gave it is its own in the database too."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether it works on something, or waits on purpose: a database, the brake."""
        ...

    def applied(self) -> Mapping[Partition, int]:
        """Return the next offset of each partition that is its own."""
        ...

    async def ends(self) -> Mapping[Partition, int]:
        """Ask the broker where the logs of these partitions end."""
        ...


class Watchdog:
    """Asks the consumer how it is, and calls `fail` with a sentence when it is not well."""

    def __init__(
        self, consumer: Watched, fail: Callable[[str], None], patience: Patience | None = None
    ) -> None:
        self._consumer = consumer
        self._fail = fail
        self._patience = patience or Patience()
        self._unassigned_since: float | None = None
        self._behind: dict[Partition, int] = {}
        self._behind_since: float | None = None

    async def run(self) -> None:
        """Watch until cancelled, or until something is wrong."""
        while True:
            await asyncio.sleep(self._patience.every)
            wrong = self._find_dead() or await self._find_standstill()
            if wrong:
                self._fail(wrong)
                return

    def _find_dead(self) -> str | None:
        if not self._consumer.is_running:
            return "The loop that reads Kafka has ended."
        now = monotonic()
        if self._consumer.is_assigned:
            self._unassigned_since = None
            return None
        self._unassigned_since = self._unassigned_since or now
        if now - self._unassigned_since < self._patience.unassigned:
            return None
        return f"No partition has been its own for {self._patience.unassigned:.0f} s."

    async def _find_standstill(self) -> str | None:
        """Find out whether nothing moves while there is something to read."""
        applied = dict(self._consumer.applied())
        try:
            async with asyncio.timeout(self._patience.every):
                ends = await self._consumer.ends()
        except (KafkaError, TimeoutError):
            # Nobody can read what cannot be reached: that is Kafka's trouble, not this process's.
            self._behind_since = None
            return None
        behind = {one: offset for one, offset in applied.items() if ends.get(one, 0) > offset}
        _count(applied, ends)
        now = monotonic()
        moves = self._consumer.is_busy or behind.items() != self._behind.items()
        self._behind = behind
        if not behind or moves:
            self._behind_since = now if behind else None
            return None
        self._behind_since = self._behind_since or now
        if now - self._behind_since < self._patience.standstill:
            return None
        return (
            f"Nothing has moved for {self._patience.standstill:.0f} s, and there is more to read."
        )


def _count(applied: Mapping[Partition, int], ends: Mapping[Partition, int]) -> None:
    lag: dict[str, int] = {}
    for one, offset in applied.items():
        lag[one.topic] = lag.get(one.topic, 0) + max(0, ends.get(one, offset) - offset)
    for topic, records in lag.items():
        metrics.LAG.labels(topic=topic).set(records)


class FrozenLoop:
    """A thread that ends the process when the event loop does not turn any more.

    A wait in the loop itself (a lock, a name looked up, a rule without an end) stops heartbeats,
    health and the other watchdog alike.
    """

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self._turned_at = monotonic()
        self._has_ended = threading.Event()

    async def run(self) -> None:
        """Turn with the loop until cancelled."""
        thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        thread.start()
        try:
            while True:
                self._turned_at = monotonic()
                await asyncio.sleep(self._patience.frozen / 10)
        finally:
            self._has_ended.set()

    def _watch(self) -> None:
        while not self._has_ended.wait(self._patience.frozen / 10):
            if monotonic() - self._turned_at > self._patience.frozen:
                _log.critical("the loop does not turn any more: the process ends", stack="below")
                # Names of files and functions, and no values.
                faulthandler.dump_traceback(sys.stderr)
                sys.stderr.flush()
                os._exit(FROZEN_EXIT)
