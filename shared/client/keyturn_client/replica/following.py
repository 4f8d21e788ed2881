"""Keeps a copy of topics up: reads them from their start, and knows how old the copy is."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from keyturn_client.pauses import Pauses
from keyturn_client.problems import KeyturnError, UnreachableError
from keyturn_client.replica.freshness import Freshness, RewoundError, now
from keyturn_client.settings import Kafka
from keyturn_client.wire import Read, Reader, reading

log = logging.getLogger("keyturn_client")

T = TypeVar("T")

_ASK_SECONDS = 0.5
"""How often Kafka is asked how far the topics go: the age of a copy stays little above it."""
_ANSWER_SECONDS = 10.0
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
        async with reading(self._kafka, self._topics, self._freshness.positions) as reader:
            await self._catch_up(reader)

    async def follow(self) -> None:
        """Hear what comes, for ever. While Kafka is away the copy grows old."""
        pauses = Pauses(most=_LONGEST_PAUSE)
        while True:
            try:
                async with reading(self._kafka, self._topics, self._freshness.positions) as reader:
                    while True:
                        await self._catch_up(reader)
                        pauses.reset()
                        await self._read_for(reader, _ASK_SECONDS)
            # An OSError: the file of the password is not to be read now.
            except (KeyturnError, OSError) as error:
                log.warning("The copy is not kept up: %s", error)
                if isinstance(error, RewoundError):
                    self._begin_anew()
            await asyncio.sleep(pauses.next())

    def _begin_anew(self) -> None:
        # First of all it is not known any more: nobody takes an empty copy for a whole one.
        self._freshness = Freshness()
        self._forget()

    async def _catch_up(self, reader: Reader) -> None:
        """Hear everything that was there when this began."""
        asked_at = now()
        self._freshness.aim(await _answered(reader.ends()), asked_at)
        while not self._freshness.is_reached:
            if not await self._read(reader, _ASK_SECONDS):
                # Reading waits for a broker that is away without a word; asking does not.
                await _answered(reader.ends())

    async def _read_for(self, reader: Reader, seconds: float) -> None:
        end = now() + seconds
        while (left := end - now()) > 0:
            await self._read(reader, left)

    async def _read(self, reader: Reader, seconds: float) -> bool:
        records = await reader.poll(seconds)
        self._hear(records)
        self._freshness.advance(await _answered(reader.positions()))
        return bool(records)


async def _answered(asking: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await asking
    except TimeoutError as error:
        raise UnreachableError(f"Kafka has not answered for {_ANSWER_SECONDS:g} s.") from error
