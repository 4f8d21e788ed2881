"""What a failure means for the work that met it: run it again, look for the culprit, or wait."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.messaging.latest import SequenceTaken

T = TypeVar("T")
R = TypeVar("R")

Failure = Literal["again", "content", "unavailable"]
"""`again`: the same work may succeed at once. `content`: something in it cannot be done, and must
be found. `unavailable`: the database cannot be used, which is no message's fault."""

_AGAIN = {"40001", "40P01", "55P03", "23505"}
"""Serialization, deadlock, a lock not had in time, a unique violation (the same command twice)."""
_CHECK = "23514"
_TOO_SLOW = {"57014", "25P04"}
"""Cancelled or past `transaction_timeout`: of less at a time it may be quick enough."""
_UNAVAILABLE = ("08", "25", "28", "3D", "53", "57", "58", "F0", "XX")
"""By class: connection, transaction state, login, no such database, resources, shutdown, system."""


def classify(error: BaseException) -> Failure:
    if isinstance(error, SequenceTaken):
        return "again"
    if isinstance(error, DBAPIError):
        return _classify_state(error)
    if isinstance(error, (OSError, PoolTimeoutError, DisconnectionError)):
        return "unavailable"
    return "content"


def sqlstate_of(error: BaseException) -> str | None:
    """Return PostgreSQL's five letters for an error, or None where it did not get that far."""
    origin = error.orig if isinstance(error, DBAPIError) else None
    state = getattr(origin, "sqlstate", None)
    return state if isinstance(state, str) else None


def _classify_state(error: DBAPIError) -> Failure:
    state = sqlstate_of(error)
    if state in _AGAIN:
        return "again"
    if state in _TOO_SLOW:
        return "content"
    if state == _CHECK and getattr(_cause_of(error), "constraint_name", None) is None:
        # No partition for a row: the days of the inbox have not been made, whatever the command.
        return "unavailable"
    if state is None:
        # The driver's own: a parameter that it cannot encode, or a connection that is gone.
        gone = error.connection_invalidated or isinstance(error, InterfaceError)
        return "unavailable" if gone and not _is_encoding(error) else "content"
    return "unavailable" if state.startswith(_UNAVAILABLE) else "content"


def _is_encoding(error: DBAPIError) -> bool:
    return isinstance(_cause_of(error), ValueError)


def _cause_of(error: DBAPIError) -> BaseException | None:
    """Return the driver's own exception, which SQLAlchemy wraps twice."""
    return error.orig.__cause__ if error.orig is not None else None


def name_of(error: BaseException) -> str:
    """Return a word for what went wrong that holds nothing of what a message says."""
    state = sqlstate_of(error)
    return f"database_{state}" if state else type(error).__name__


@dataclass(frozen=True, slots=True)
class Parted(Generic[T, R]):
    """What was done, in one go or one by one, and what could not be."""

    done: list[tuple[Sequence[T], R]] = field(default_factory=list[tuple[Sequence[T], R]])
    failed: list[tuple[T, Exception]] = field(default_factory=list[tuple[T, Exception]])


async def do_all_or_each(
    connection: AsyncConnection,
    items: Sequence[T],
    work: Callable[[Sequence[T]], Awaitable[R]],
    *,
    is_blocked: Callable[[T, Parted[T, R]], bool] = lambda _item, _parted: False,
) -> Parted[T, R]:
    """Do the work for all at once; where that raises, for each alone, and report those that fail.

    Each try runs in a savepoint. What is `is_blocked`, after what was parted so far, is left out of
    both lists. Failures that are nobody's own (see `classify`) are raised.
    """
    parted: Parted[T, R] = Parted()
    failure = await _try(connection, items, work, parted)
    if failure is None:
        return parted
    if len(items) == 1:
        parted.failed.append((items[0], failure))
        return parted
    for item in items:
        if is_blocked(item, parted):
            continue
        failure = await _try(connection, [item], work, parted)
        if failure is not None:
            parted.failed.append((item, failure))
    return parted


async def _try(
    connection: AsyncConnection,
    items: Sequence[T],
    work: Callable[[Sequence[T]], Awaitable[R]],
    parted: Parted[T, R],
) -> Exception | None:
    try:
        async with connection.begin_nested():
            result = await work(items)
    except Exception as error:
        if classify(error) != "content":
            raise
        return error
    parted.done.append((items, result))
    return None
