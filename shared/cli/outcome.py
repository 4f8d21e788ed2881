"""`keyturn outcome`: what came of a command, whoever waits for it."""

import asyncio
from typing import Annotated

import typer
from keyturn_client.http import Http
from keyturn_client.outcomes import LONGEST_WAIT, ask_outcome
from keyturn_client.problems import UnreachableError
from keyturn_contracts.message import CommandApplied, CommandRefused
from keyturn_contracts.topics import SERVICES

from shared.cli.asking import command
from shared.cli.exit_codes import ExitCode
from shared.cli.ids import CommandId
from shared.cli.options import Asks
from shared.cli.problems import Problem
from shared.cli.sending import tell

app = typer.Typer(add_completion=False)


@command(app, "outcome")
async def outcome(
    options: Asks,
    command_id: CommandId,
    seconds: Annotated[
        float,
        typer.Option("--timeout", min=0, max=LONGEST_WAIT, help="How many seconds to wait for it."),
    ] = 0,
) -> ExitCode:
    """Say what came of a command of yours; outcomes are kept for seven days.

    keyturn outcome 0199c0de-0000-7000-8000-000000000000 --timeout 30
    """
    async with options.http() as http:
        found = await _ask_all(http, command_id, seconds)
    if found is not None:
        return tell(options.output, found, about={"command_id": command_id})
    raise Problem(
        "No outcome of that command has come: it is still open, it was never published, or it is "
        "another issuer's or another brand's. Wait longer with --timeout, or send it again.",
        ExitCode.TIMED_OUT if seconds else ExitCode.NOT_FOUND,
    )


async def _ask_all(
    http: Http, command_id: str, seconds: float
) -> CommandApplied | CommandRefused | None:
    """Ask every service, for an id does not say who judged it; one that is down hides nothing."""
    asked = [
        asyncio.create_task(ask_outcome(http, service, command_id, seconds)) for service in SERVICES
    ]
    unreachable: UnreachableError | None = None
    try:
        for answer in asyncio.as_completed(asked):
            try:
                if (found := await answer) is not None:
                    return found
            except UnreachableError as error:
                unreachable = error
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    if unreachable is not None:
        raise unreachable
    return None
