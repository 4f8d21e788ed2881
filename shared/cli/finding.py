"""Asking a service for one thing, or for some of many."""

from collections.abc import Awaitable
from typing import Any

from keyturn_client.problems import NotFoundError

from shared.cli.exit_codes import ExitCode
from shared.cli.problems import Problem


def filters_of(**given: object) -> dict[str, str]:
    """Return the filters that were given, as a query has them."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in given.items()
        if value is not None and value != ""
    }


async def found(asked: Awaitable[Any]) -> Any:
    """Return what a service answers; what it says where there is nothing is told as a problem."""
    try:
        return await asked
    except NotFoundError as error:
        raise Problem(str(error), ExitCode.NOT_FOUND) from None
