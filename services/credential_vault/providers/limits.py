"""How often one provider is tried: counted in Redis for all processes, in this one without it."""

import asyncio
import time
from collections import Counter

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

_log = structlog.stdlib.get_logger()

_PREFIX = "credential-vault:tries:"
_PATIENCE_SECONDS = 0.5
_PAUSE_SECONDS = 5.0
"""How long Redis is left alone when it did not answer, so that only one try waits for it."""


class Limits:
    """Windows of time, in each of which a provider is tried so many times and no more."""

    def __init__(self, redis: Redis | None, *, tries: int, window_seconds: float) -> None:
        self._redis = redis
        self._tries = tries
        self._window_seconds = window_seconds
        self._counted_window = 0
        self._counted: Counter[str] = Counter()
        self._ask_again_at = 0.0

    async def take_turn(self, provider: str) -> float:
        """Count a try; return 0 to go ahead, or how many seconds to wait instead of making it.

        Without Redis it counts what this process does: every process then has the whole number.
        """
        now = time.time()
        window = int(now // self._window_seconds)
        tries = await self._count_for_all(provider, window)
        if tries is None:
            tries = self._count_here(provider, window)
        return 0.0 if tries <= self._tries else (window + 1) * self._window_seconds - now

    async def _count_for_all(self, provider: str, window: int) -> int | None:
        """Return how many tries there were in this window, or None where Redis cannot say."""
        if self._redis is None or time.monotonic() < self._ask_again_at:
            return None
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await self._ask(self._redis, f"{_PREFIX}{provider}:{window}")
        except (RedisError, OSError) as error:
            self._ask_again_at = time.monotonic() + _PAUSE_SECONDS
            _log.warning(
                "Redis is gone: tries are limited in each process", cause=type(error).__name__
            )
            return None

    async def _ask(self, redis: Redis, name: str) -> int:
        async with redis.pipeline(transaction=True) as pipeline:
            pipeline.incr(name)
            # Twice as long as it counts: the clocks of two machines differ a little.
            pipeline.pexpire(name, max(1, int(self._window_seconds * 2000)))
            tries, _ = await pipeline.execute()
        return int(tries)

    def _count_here(self, provider: str, window: int) -> int:
        if window != self._counted_window:
            self._counted_window = window
            self._counted.clear()
        self._counted[provider] += 1
        return self._counted[provider]
