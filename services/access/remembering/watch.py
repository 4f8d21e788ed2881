"""Sees what has changed: by looking at the database often, and at once when it is told to."""

import asyncio
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from time import monotonic
from typing import Any, Protocol, cast

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.access.queries.changes import load_changes
from services.access.remembering.memory import Memory
from services.access.settings import AccessSettings
from services.access.store.changes import forget_changes
from shared.messaging.service import Job

_log = structlog.stdlib.get_logger()

CHANNEL = "access:changed"
"""What is said on it is who says it, and the id of a brand of which something was committed."""
_SAID = re.compile(rb"([0-9a-f]{16}) ([A-Za-z0-9_\-:@]{1,128})")
_LISTEN_SECONDS = 1.0
_PAUSE_SECONDS = 1.0
"""How long Redis is left alone when it was not there."""


class _Channel(Protocol):
    """The part of Redis' client for a channel that is used here."""

    async def subscribe(self, *channels: str) -> None: ...
    async def get_message(self, *, timeout: float) -> Mapping[str, Any] | None: ...  # noqa: ASYNC109  it is theirs
    async def aclose(self) -> None: ...


class Watch:
    """Keeps one process's memory true.

    What a look at the database finds was committed, and no commit is missed: not one whose process
    died before it could tell. Redis only has others look sooner.
    """

    def __init__(
        self, writer: AsyncEngine, redis: Redis | None, memory: Memory, settings: AccessSettings
    ) -> None:
        self._writer = writer
        # A look is one statement: it begins and ends its transaction by itself.
        self._looker = writer.execution_options(isolation_level="AUTOCOMMIT")
        self._redis = redis
        self._memory = memory
        self._settings = settings
        self._name = secrets.token_hex(8).encode()
        """This process, on the channel."""
        self._looking = asyncio.Lock()
        self._heard: _Channel | None = None
        self._tell_again_at = 0.0

    def jobs(self) -> Sequence[Job]:
        every = timedelta(seconds=self._settings.look_every_seconds)
        minute = timedelta(minutes=1)
        # After each commit here, and when nothing is committed here.
        look = Job(name="look what has changed", run=self._look_and_tell, every=every)
        # It waits by itself.
        hear = Job(name="hear what has changed", run=self.hear, every=timedelta(), woken_by=())
        forget = Job(name="forget old changes", run=self._forget, every=minute, woken_by=())
        return (look, forget) if self._redis is None else (look, hear, forget)

    async def look(self) -> tuple[str, ...]:
        """Ask the database what has changed, and return of which brands something has."""
        async with self._looking:
            return await self._look()

    async def look_for(self, brands: Sequence[str]) -> None:
        """Look, unless somebody has since these were doubted."""
        async with self._looking:
            if not self._memory.doubted.isdisjoint(brands):
                await self._look()

    async def hear(self) -> int:
        """Listen for a second; look at once where another process has said that it changed one."""
        if self._redis is None:
            return 0
        try:
            if self._heard is None:
                self._heard = _channel_of(self._redis)
                await self._heard.subscribe(CHANNEL)
            if brands := _of_others(self._name, await _read(self._heard)):
                self._memory.doubt(brands)
                await self.look_for(brands)
        except (RedisError, OSError) as error:
            _log.warning("others' changes are seen later: no Redis", cause=type(error).__name__)
            await self._stop_hearing()
            await asyncio.sleep(_PAUSE_SECONDS)
        return 0

    async def tell(self, brands: Sequence[str]) -> None:
        """Have other processes look; where Redis is not there they do so by themselves."""
        if self._redis is None or not brands or monotonic() < self._tell_again_at:
            return
        try:
            async with asyncio.timeout(self._settings.redis_patience_seconds):
                async with self._redis.pipeline(transaction=False) as pipeline:
                    for one in brands:
                        cast("Any", pipeline).publish(CHANNEL, self._name + b" " + one.encode())
                    await pipeline.execute()
        except (RedisError, OSError):
            self._tell_again_at = monotonic() + _PAUSE_SECONDS

    async def _look(self) -> tuple[str, ...]:
        doubted = self._memory.doubted
        began = self._memory.clock()
        try:
            async with self._looker.connect() as connection:
                changes = await load_changes(connection, self._memory.seen)
        except (SQLAlchemyError, OSError) as error:
            self._memory.forget()
            _log.warning("nothing is remembered: no look", cause=type(error).__name__)
            return ()
        self._memory.confirm(changes, began=began, doubted=doubted)
        return changes.brands

    async def _look_and_tell(self) -> int:
        await self.tell(await self.look())
        return 0

    async def _forget(self) -> int:
        async with self._writer.begin() as connection:
            await forget_changes(connection)
        return 0

    async def _stop_hearing(self) -> None:
        heard, self._heard = self._heard, None
        if heard is not None:
            await heard.aclose()


def _channel_of(redis: Redis) -> _Channel:
    return cast("_Channel", cast("Any", redis).pubsub(ignore_subscribe_messages=True))


async def _read(heard: _Channel) -> list[bytes]:
    """Return all that was said, waiting for the first."""
    said: list[bytes] = []
    seconds = _LISTEN_SECONDS
    while (message := await heard.get_message(timeout=seconds)) is not None:
        said.append(cast("bytes", message["data"]))
        seconds = 0.0
    return said


def _of_others(name: bytes, said: Iterable[bytes]) -> list[str]:
    """Return the brands that others say have changed: a look was made here before we say so.

    Anybody who reaches Redis may say anything. What makes no sense is passed over; what does costs
    a look.
    """
    found = filter(None, map(_SAID.fullmatch, said))
    return [brand.decode() for who, brand in (one.groups() for one in found) if who != name]
