"""Asking a service for one thing, or for some of many."""

from collections.abc import Awaitable
from typing import Any

from keyturn_client.http import Http
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


async def found(asked: Awaitable[Any], otherwise: str | None = None) -> Any:
    """Return what a service answers; where there is nothing, a `Problem` says so.

    It says `otherwise`, or what the service said.
    """
    try:
        return await asked
    except NotFoundError as error:
        raise Problem(otherwise or str(error), ExitCode.NOT_FOUND) from None


async def found_extension(http: Http, extension: str, path: str = "", **parameters: str) -> Any:
    """Return what the catalog answers of an extension, or tell that there is none."""
    return await found(
        http.get("catalog", f"/v1/extensions/{extension}{path}", parameters),
        f"There is no extension {extension}: `keyturn catalog search` lists those there are.",
    )
