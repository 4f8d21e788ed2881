"""Waiting for a fact instead of for a time."""

import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import anyio

T = TypeVar("T")
_PAUSE = 0.02
_LONGEST_PAUSE = 0.2
_SLOWER = 1.3
"""Looking takes work from what is waited for: what has not come soon is looked for less often."""


async def eventually(check: Callable[[], T | Awaitable[T]], within: float = 30.0) -> T:
    """Return what the check gives as soon as it is true, or raises no AssertionError any more."""
    deadline = time.monotonic() + within
    pause = _PAUSE
    while True:
        failed: AssertionError | None = None
        try:
            found = check()
            found = await cast("Awaitable[T]", found) if inspect.isawaitable(found) else found
            if found:
                return cast("T", found)
        except AssertionError as error:
            failed = error
        if time.monotonic() > deadline:
            raise AssertionError(f"It was not so within {within} s.") from failed
        await anyio.sleep(pause)
        pause = min(pause * _SLOWER, _LONGEST_PAUSE)


def until(check: Callable[[], T | None], within: float = 30.0) -> T:
    """Do the same where there is no loop."""
    deadline = time.monotonic() + within
    pause = _PAUSE
    while not (found := check()):
        assert time.monotonic() < deadline, f"It was not so within {within} s."
        time.sleep(pause)
        pause = min(pause * _SLOWER, _LONGEST_PAUSE)
    return found
