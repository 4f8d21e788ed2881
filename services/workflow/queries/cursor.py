"""Where a page ended: what to ask `after`, which nobody but this service reads."""

import base64
import json


class CursorError(ValueError):
    """It is none that this service gave."""


def write_cursor(*parts: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).rstrip(b"=").decode()


def read_cursor(text: str | None, length: int) -> tuple[str, ...]:
    """Return the parts, or as many empty ones, which come before everything."""
    if text is None:
        return ("",) * length
    try:
        parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        raise CursorError from None
    if not isinstance(parts, list) or len(parts) != length:  # pyright: ignore[reportUnknownArgumentType]  JSON says no more than list
        raise CursorError
    if not all(isinstance(one, str) and "\x00" not in one for one in parts):  # pyright: ignore[reportUnknownVariableType]  likewise
        raise CursorError
    return tuple(parts)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  each was looked at
