"""How often one provider is tried: counted in Redis for all processes, in this one without it."""

import asyncio
import time
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

_log = structlog.stdlib.get_logger()

_PREFIX = "credential-vault:tries:"
_PATIENCE_SECONDS = 0.5
_MOST_PROVIDERS = 10_000


@dataclass(slots=True)
class _Window:
    ends: float
    tries: int


class Limits:
    """A fixed window for each provider, in which so many tries are made and no more."""

    def __init__(self, redis: Redis | None, *, tries: int, window_seconds: float) -> None:
        self._redis = redis
        self._tries = tries
        self._window_seconds = window_seconds
        self._windows: dict[str, _Window] = {}
        self._is_missed = False

    async def take_turn(self, provider: str) -> float:
        """Count a try; return how many seconds to wait instead of making it, 0 to go ahead.

        Without Redis it counts what this process does: every process then has the whole number.
        """
        if self._redis is not None:
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    wait = await self._ask_redis(self._redis, provider)
            except (RedisError, OSError, TimeoutError) as error:
                if not self._is_missed:
                    _log.warning(
                        "Redis is gone: tries are limited in each process",
                        cause=type(error).__name__,
                    )
                self._is_missed = True
            else:
                self._is_missed = False
                return wait
        return self._count(provider, time.monotonic())

    async def _ask_redis(self, redis: Redis, provider: str) -> float:
        key = _PREFIX + provider
        async with redis.pipeline(transaction=True) as pipeline:
            pipeline.set(key, 0, px=int(self._window_seconds * 1000), nx=True)
            pipeline.incr(key)
            pipeline.pttl(key)
            _, tries, left = await pipeline.execute()
        return 0.0 if tries <= self._tries else max(left, 1) / 1000

    def _count(self, provider: str, now: float) -> float:
        window = self._windows.get(provider)
        if window is None or window.ends <= now:
            if len(self._windows) >= _MOST_PROVIDERS:
                self._windows = {n: w for n, w in self._windows.items() if w.ends > now}
            window = self._windows[provider] = _Window(now + self._window_seconds, 0)
        window.tries += 1
        return 0.0 if window.tries <= self._tries else window.ends - now
