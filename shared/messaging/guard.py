"""Makes a cancellation that is not ours a failure of whoever let it out."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from shared.messaging.handlers import Aggregate, BulkCommand, DecidedCommand, Handlers, Listener
from shared.messaging.jobs import is_ours_to_end

P = ParamSpec("P")
R = TypeVar("R")


class CancelledInside(RuntimeError):  # noqa: N818  it names what happened
    """A handler let out a cancellation that was meant for something it awaited."""


def guarded(handlers: Handlers) -> Handlers:
    """Return the same handlers, of which none can pass for being cancelled itself.

    Whoever awaits a task that somebody else has cancelled gets the exception that a stop sends too.
    It is no `Exception`: let through, it ends the loop that reads, and nothing restarts that.
    """
    aggregates: dict[Aggregate[Any], Aggregate[Any]] = {
        one: replace(one, lock=_guard(one.lock), save=_guard(one.save))
        for one in handlers.aggregates
    }
    decided: list[DecidedCommand[Any, Any]] = [
        replace(
            one,
            aggregate=aggregates[one.aggregate],
            decide=_guard_rule(one.decide),
            drop=None if one.drop is None else _guard_rule(one.drop),
        )
        for one in handlers.decided.values()
    ]
    bulks: list[BulkCommand[Any]] = [
        replace(one, apply=_guard(one.apply), drop=None if one.drop is None else _guard(one.drop))
        for one in handlers.bulks.values()
    ]
    listeners: list[Listener[Any]] = [
        replace(one, save=_guard(one.save)) for one in handlers.listeners
    ]
    return Handlers(*decided, *bulks, *listeners)


def _guard(work: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    @wraps(work)
    async def guarded_work(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await work(*args, **kwargs)
        except asyncio.CancelledError:
            if is_ours_to_end():
                raise
            raise CancelledInside from None

    return guarded_work


def _guard_rule(rule: Callable[P, R]) -> Callable[P, R]:
    @wraps(rule)
    def guarded_rule(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return rule(*args, **kwargs)
        except asyncio.CancelledError:
            # A rule awaits nothing, so nobody can have cancelled it.
            raise CancelledInside from None

    return guarded_rule
