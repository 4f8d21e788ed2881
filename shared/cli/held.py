"""`keyturn held`: what could not be applied yet: look, try again, drop."""

import re
from collections.abc import AsyncIterator
from typing import Annotated, Literal

import typer
from keyturn_client.http import Http
from keyturn_contracts.message import Part
from keyturn_contracts.topics import SERVICES

from shared.cli.asking import command
from shared.cli.consent import ask_consent
from shared.cli.options import Asks
from shared.cli.output import Column, Row, say
from shared.cli.problems import usage

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="What could not be applied yet: look, try again, drop. For operators, of every brand.",
)

_PLACE = re.compile(r"keyturn\.(?P<service>[a-z-]+)\.commands-[0-9]+-[0-9]+")

Place = Annotated[
    str,
    typer.Argument(
        metavar="PLACE", help="Where it lies, for example keyturn.workflow.commands-3-7."
    ),
]
State = Annotated[
    Literal["waits", "retried", "parked", "queued"] | None,
    typer.Option(help="Only those that are in this state."),
]

_COLUMNS = (
    Column("PLACE", "place"),
    Column("COMMAND", "command"),
    Column("BRAND", "brand"),
    Column("SUBJECT", "subject"),
    Column("STATE", "state"),
    Column("CAUSE", "cause"),
    Column("ATTEMPTS", "attempts"),
    Column("SINCE", "first_at"),
)
_FIELDS = (
    Column("Place", "place"),
    Column("Command", "command"),
    Column("Id", "id"),
    Column("Brand", "brand"),
    Column("Subject", "subject"),
    Column("Issuer", "issuer"),
    Column("State", "state"),
    Column("Cause", "cause"),
    Column("Attempts", "attempts"),
    Column("First", "first_at"),
    Column("Due", "due"),
    Column("To be dropped", lambda row: row.get("is_dropped") or None),
    Column("Bytes", "size"),
)


@command(app, "list")
async def list_held(
    options: Asks,
    service: Annotated[str | None, typer.Option(help="Only what this service holds.")] = None,
    state: State = None,
) -> None:
    """List what each service holds back, and why."""
    if service is not None and service not in SERVICES:
        raise usage(f"There is no service {service}: there are {', '.join(SERVICES)}.")
    filters = {} if state is None else {"state": state}

    async def everything(http: Http) -> AsyncIterator[Row]:
        for one in SERVICES if service is None else (service,):
            async for row in http.pages(one, "/v1/held", filters):
                yield row

    async with options.http("operator") as http:
        await options.output.each(everything(http), _COLUMNS, nothing="Nothing is held.")


@command(app, "show")
async def show(options: Asks, place: Place) -> None:
    """Show one held command, without its content."""
    async with options.http("operator") as http:
        options.output.one(await http.get(_service_of(place), f"/v1/held/{place}"), _FIELDS)


@command(app, "retry")
async def retry(options: Asks, place: Place) -> None:
    """Have a held command tried at once, as if for the first time."""
    await _change(options, place, "retry")
    say("It is tried now; see `keyturn held list`.")


@command(app, "drop")
async def drop(
    options: Asks,
    place: Place,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Give a held command up; its sender is told."""
    if not yes:
        ask_consent(f"Give up what is held at {place}?", "drop")
    await _change(options, place, "drop")
    say("It is given up when its turn comes, at once where it is the first of its key.")


async def _change(options: Asks, place: str, what: Literal["retry", "drop"]) -> None:
    async with options.http("operator") as http:
        changed = await http.post(_service_of(place), f"/v1/held/{place}/{what}", Part())
    options.output.one(changed, _FIELDS)


def _service_of(place: str) -> str:
    """Return which service holds what lies there."""
    found = _PLACE.fullmatch(place)
    if found is None or found["service"] not in SERVICES:
        raise usage("That is no place: `keyturn held list` shows them.")
    return found["service"]
