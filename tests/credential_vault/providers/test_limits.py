"""Tries at one provider are limited, with Redis and without."""

from collections.abc import AsyncGenerator

import pytest
from keyturn_contracts.ids import new_id
from redis.asyncio import Redis

from services.credential_vault.providers.limits import Limits
from tests.running_stack import RunningStack
from tests.waiting import eventually


@pytest.fixture
async def redis(stack: RunningStack) -> AsyncGenerator[Redis]:
    settings = stack.settings_of("credential-vault").redis
    client = Redis(
        unix_socket_path=str(settings.socket),
        username=settings.user,
        password=settings.password.get_secret_value(),
    )
    yield client
    await client.aclose()


@pytest.fixture
def provider() -> str:
    """Name one that no other test has tried."""
    return f"{new_id()}.example.com:587"


def limits(redis: Redis | None, window_seconds: float = 10_000_000_000) -> Limits:
    """Return limits whose window does not end while a test runs, unless it is to."""
    return Limits(redis, tries=3, window_seconds=window_seconds)


async def turns(limits: Limits, provider: str, times: int) -> list[bool]:
    return [await limits.take_turn(provider) == 0 for _ in range(times)]


async def test_redis_counts_the_tries_of_all_processes(redis: Redis, provider: str) -> None:
    one, other = limits(redis), limits(redis)

    assert await turns(one, provider, 2) == [True, True]
    assert await turns(other, provider, 2) == [True, False]
    assert 0 < await one.take_turn(provider) <= 10_000_000_000
    assert await turns(one, f"other.{provider}", 1) == [True]


async def test_what_is_counted_in_redis_goes_away_by_itself(redis: Redis, provider: str) -> None:
    """The window is long and begins with the epoch, so its number is 0."""
    await limits(redis).take_turn(provider)

    assert 0 < await redis.pttl(f"credential-vault:tries:{provider}:0") <= 20_000_000_000_000


async def test_in_the_next_window_there_are_tries_again(redis: Redis, provider: str) -> None:
    for counted in (limits(redis, 0.001), limits(None, 0.001)):

        async def has_a_turn(counted: Limits = counted) -> bool:
            return await counted.take_turn(provider) == 0

        for _ in range(10):
            await eventually(has_a_turn)


async def test_without_redis_each_process_counts_for_itself(provider: str) -> None:
    one, other = limits(None), limits(None)

    assert await turns(one, provider, 4) == [True, True, True, False]
    assert await turns(other, provider, 1) == [True]
    assert await one.take_turn(provider) > 0


async def test_with_redis_gone_tries_go_on_and_are_limited_in_the_process(provider: str) -> None:
    gone = Redis(unix_socket_path="/nowhere/redis.sock")
    counted = limits(gone)

    assert await turns(counted, provider, 5) == [True, True, True, False, False]
    await gone.aclose()
