"""What came of a command: asked for at the service that judged it."""

import asyncio
from typing import Any

from keyturn_contracts.message import Command, CommandApplied, CommandRefused, Outcome, Part
from keyturn_contracts.workflow import OutOfPlace
from pydantic import TypeAdapter

from keyturn_client.http import Http
from keyturn_client.problems import NotFoundError

_OUTCOME: TypeAdapter[CommandApplied | CommandRefused] = TypeAdapter(Outcome)
LONGEST_WAIT = 30
"""How many seconds a service may be asked to wait in one request."""
_CROWDED_WAIT = 2
"""The same while others wait for their turn to ask."""


async def ask_outcome(
    http: Http, service: str, command_id: str, seconds: float
) -> CommandApplied | CommandRefused | None:
    """Return the outcome as soon as it is there, or None when it is not after some seconds.

    Any number may be asked for at once. They take turns, and each is asked for once at least,
    although its turn may come later than these seconds.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    polls = http.long_polls(service)
    async with polls:
        await asyncio.sleep(0)  # all that are asked for in one go stand in line now
        # Those that take long would keep the others from what is there already.
        longest = _CROWDED_WAIT if polls.locked() else LONGEST_WAIT
        left = seconds - int(loop.time() - began)
        whole = max(0, min(longest, int(left)))
        try:
            found: Any = await http.get(
                service, f"/v1/outcomes/{command_id}", {"wait": f"{whole}s"}, more=whole
            )
        except NotFoundError:
            return None
    return _OUTCOME.validate_python(found)


def details_of(command: type[Command], outcome: CommandApplied | CommandRefused) -> Part | None:
    """Return an outcome's details as the command's own model of them, or None."""
    if outcome.details is None:
        return None
    if isinstance(outcome, CommandRefused):
        is_place = outcome.reason == "out_of_place"
        return OutOfPlace.model_validate(outcome.details) if is_place else None
    return command.details and command.details.model_validate(outcome.details)
