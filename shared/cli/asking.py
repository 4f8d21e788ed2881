"""How a command is written: an async function whose first parameter holds the common options."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import typer

from shared.cli.exit_codes import ExitCode
from shared.cli.problems import told

F = TypeVar("F", bound=Callable[..., Awaitable[ExitCode | None]])


def command(app: typer.Typer, name: str) -> Callable[[F], F]:
    """Add a function to a group.

    Its first parameter is of a dataclass whose fields are options too, so that those which many
    commands have stand in one place. What it returns is the exit code, None is 0; a `Problem` that
    it raises is told in a sentence.
    """

    def add(function: F) -> F:
        signature = inspect.signature(function)
        first, *own = signature.parameters.values()
        common = inspect.signature(first.annotation).parameters.values()

        def run(**given: Any) -> None:
            options = first.annotation(**{one.name: given.pop(one.name) for one in common})
            with told():
                code = asyncio.run(_awaited(function(options, **given)))
            if code:
                raise typer.Exit(code)

        parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *common)]
        run.__doc__ = function.__doc__
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        run.__signature__ = signature.replace(
            parameters=parameters, return_annotation=None
        )  # where `inspect` looks first
        app.command(name)(run)
        return function

    return add


async def _awaited(work: Awaitable[ExitCode | None]) -> ExitCode | None:
    return await work
