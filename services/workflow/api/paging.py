"""What every list has in common: who sees what, and where a page ends."""

from typing import Annotated

from fastapi import Query
from keyturn_contracts.actor import Actor

from services.workflow.queries import cursor
from services.workflow.queries.cursor import CursorError
from services.workflow.rules.engine import ADMINISTRATOR
from shared.http.errors import ApiError

After = Annotated[str | None, Query(max_length=2000)]
Limit = Annotated[int, Query(ge=1, le=200)]


def whose(caller: Actor) -> str | None:
    """Return whose things the caller sees: everybody's in the brand (None), or their own."""
    if caller.engine_id is not None:
        raise ApiError("not_allowed", "An engine reads its own epoch and number, nothing else.")
    return None if ADMINISTRATOR in caller.roles else caller.subject


def read_after(after: str | None, length: int) -> tuple[str, ...]:
    try:
        return cursor.read_cursor(after, length)
    except CursorError:
        raise ApiError("invalid", "`after` is what `next` of the page before said.") from None
