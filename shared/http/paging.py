"""What every list has in common: how much of it is asked for, and where a page ends."""

import base64
import json
from typing import Annotated

from fastapi import Query

from shared.http.errors import ApiError

After = Annotated[str | None, Query(max_length=2000, description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=200)]


def write_cursor(*parts: str) -> str:
    """Return what to ask `after`, which nobody but the service that wrote it reads."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).rstrip(b"=").decode()


def read_after(after: str | None, length: int) -> tuple[str, ...]:
    """Return the parts, or as many empty ones, which come before everything.

    Answers `invalid` where it is none that a page of this list gave.
    """
    if after is None:
        return ("",) * length
    try:
        parts = json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
    except (ValueError, RecursionError):
        raise _invalid() from None
    if not isinstance(parts, list) or len(parts) != length:  # pyright: ignore[reportUnknownArgumentType]  JSON says no more than list
        raise _invalid()
    if not all(isinstance(one, str) and _is_text(one) for one in parts):  # pyright: ignore[reportUnknownVariableType]  likewise
        raise _invalid()
    return tuple(parts)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  each was looked at


def _is_text(part: str) -> bool:
    """Tell whether a database takes it: JSON may also say NUL, or half of a surrogate pair."""
    try:
        part.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in part


def _invalid() -> ApiError:
    return ApiError("invalid", "`after` is what `next` of the page before said.")
