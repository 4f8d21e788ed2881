"""The content of a message: JSON that its contract allows and a database can keep."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

from keyturn_contracts.message import Message
from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=Message)

_MOST_NAMED = 10
_LARGEST = 2**63 - 1
# What may become a NUL or a number beyond 64 bits; everything else needs no second look.
_SUSPECT = re.compile(rb"\\u0000|\d{19}|\d[eE]")


class InvalidContent(ValueError):  # noqa: N818  it is an answer, not a fault
    """The content breaks its contract. Its text names fields and never their values."""


def read_content(kind: type[M], value: bytes) -> M:
    """Read a message, or raise `InvalidContent`."""
    try:
        message = kind.model_validate_json(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        named = sorted({f"{_where(kind, one['loc'])} ({one['type']})" for one in found})
        more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
        raise InvalidContent(", ".join(named[:_MOST_NAMED]) + more) from None
    if _SUSPECT.search(value):
        for where, one in _values(message.model_dump(), ()):
            if isinstance(one, str) and "\x00" in one:
                raise InvalidContent(f"{_where(kind, where)} (nul_character)")
            if isinstance(one, int) and not -_LARGEST <= one <= _LARGEST:
                raise InvalidContent(f"{_where(kind, where)} (int_too_large)")
    return message


def _where(kind: type[Message], location: tuple[int | str, ...]) -> str:
    """Name a field; a key that the sender chose is content, and shown as `*`."""
    known = _names_in(kind)
    shown = (str(one) if isinstance(one, int) or one in known else "*" for one in location)
    return ".".join(shown) or "all of it"


@cache
def _names_in(kind: type[BaseModel]) -> frozenset[str]:
    schema = kind.model_json_schema()
    models = [schema, *schema.get("$defs", {}).values()]
    return frozenset(name for one in models for name in one.get("properties", {}))


def _values(
    content: Mapping[Any, Any], before: tuple[int | str, ...]
) -> Iterator[tuple[tuple[int | str, ...], object]]:
    for name, value in content.items():
        here = (*before, str(name))
        yield here, name
        if isinstance(value, Mapping):
            yield from _values(value, here)  # pyright: ignore[reportUnknownArgumentType]  any JSON
        elif isinstance(value, list | tuple):
            yield from _values(dict(enumerate(value)), here)  # pyright: ignore[reportUnknownArgumentType]  any JSON
        else:
            yield here, value
