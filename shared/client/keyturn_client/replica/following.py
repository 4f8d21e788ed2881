"""Keeps a copy of topics up: reads them from their start, and knows how old the copy is."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass

from keyturn_client.pauses import Pauses
from keyturn_client.problems import KeyturnError
from keyturn_client.replica.freshness import Freshness, RewoundError, now
from keyturn_client.replica.origin import Origins, origins
from keyturn_client.settings import Kafka
from keyturn_client.wire import Read, Reader, answered, reading

log = logging.getLogger("keyturn_client")

_ASK_SECONDS = 0.5
"""How often Kafka is asked how far the topics go: the age of a copy stays little above it."""
_LONGEST_PAUSE = 2.0
"""Everything is blocked while Kafka is away, so it is looked for often."""


class Follower:
    """Hands all records of some topics on, in the order of each partition, some more than once."""

    def __init__(
        self,
        kafka: Kafka,
        topics: Sequence[str],
        *,
        hear: Callable[[Iterable[Read]], None],
        forget: Callable[[], None],
    ) -> None:
        """Take who keeps the copy: `hear` takes records, `forget` drops all that was heard."""
        self._kafka = kafka
        self._topics = topics
        self._hear = hear
        self._forget = forget
        self._freshness = Freshness()

    @property
    def age(self) -> float | None:
        """How many seconds ago everything that was there had been heard; None: never yet."""
        known_at = self._freshness.known_at
        return None if known_at is None else now() - known_at

    async def load(self) -> None:
        """Hear everything that is there now, or raise `UnreachableError`."""
        async with self._source() as source:
            await self._catch_up(source)

    async def follow(self) -> None:
        """Hear what comes, for ever. While Kafka is away the copy grows old."""
        pauses = Pauses(most=_LONGEST_PAUSE)
        while True:
            try:
                async with self._source() as source:
                    while True:
                        await self._catch_up(source)
                        pauses.reset()
                        await self._read_for(source, _ASK_SECONDS)
            # An OSError: the file of the password is not to be read now.
            except (KeyturnError, OSError) as error:
                log.warning("The copy is not kept up: %s", error)
                if isinstance(error, RewoundError):
                    self._begin_anew()
            await asyncio.sleep(pauses.next())

    @contextlib.asynccontextmanager
    async def _source(self) -> AsyncGenerator["_Source"]:
        async with origins(self._kafka, self._topics) as asking:
            # Before anything is read: what is read from here on is of this origin, as long as it
            # is found again afterwards.
            self._freshness.recognise(await answered(asking.now()))
            async with reading(self._kafka, self._topics, self._freshness.positions) as reader:
                yield _Source(reader, asking)

    def _begin_anew(self) -> None:
        # First of all it is not known any more: nobody takes an empty copy for a whole one.
        self._freshness = Freshness()
        self._forget()

    async def _catch_up(self, source: "_Source") -> None:
        """Hear everything that was there when this began."""
        asked_at = now()
        ends = await answered(source.reader.ends())
        await self._recognise(source)
        self._freshness.aim(ends, asked_at)
        while not self._freshness.is_reached:
            if not await self._read(source, _ASK_SECONDS):
                # Reading waits for a broker that is away without a word; asking does not.
                await answered(source.reader.ends())
        # Where there was nothing to hear: who waits for a copy that is new enough looks again.
        self._hear(())

    async def _read_for(self, source: "_Source", seconds: float) -> None:
        end = now() + seconds
        while (left := end - now()) > 0:
            await self._read(source, left)

    async def _read(self, source: "_Source", seconds: float) -> bool:
        records = await source.reader.poll(seconds)
        positions = await answered(source.reader.positions())
        # What is of another topic is not heard: a copy of two would be of neither.
        await self._recognise(source)
        self._hear(records)
        self._freshness.advance(positions)
        return bool(records)

    async def _recognise(self, source: "_Source") -> None:
        self._freshness.recognise(await answered(source.origins.now()))


@dataclass(frozen=True, slots=True)
class _Source:
    reader: Reader
    origins: Origins
