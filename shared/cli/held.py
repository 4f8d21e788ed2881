"""`keyturn held`: what could not be applied yet: look, try again, drop."""

import re
from typing import Annotated, Literal

import typer
from keyturn_client.problems import RejectedError, UnreachableError
from keyturn_contracts.message import Part
from keyturn_contracts.topics import SERVICES

from shared.cli.asking import command
from shared.cli.consent import ask_consent
from shared.cli.exit_codes import ExitCode
from shared.cli.options import Asks
from shared.cli.output import Column, Row, say
from shared.cli.problems import Problem, usage

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
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what it is about, and change nothing.")
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
) -> ExitCode:
    """List what each service holds back, and why.

    keyturn held list --state parked
    """
    if service is not None and service not in SERVICES:
        raise usage(f"There is no service {service}: there are {', '.join(SERVICES)}.")
    asked = SERVICES if service is None else (service,)
    filters = {} if state is None else {"state": state}
    found: list[Row] = []
    silent: list[UnreachableError] = []
    async with options.http("operator") as http:
        for one in asked:
            try:
                found += [row async for row in http.pages(one, "/v1/held", filters)]
            except UnreachableError as error:
                silent.append(error)
    if len(silent) == len(asked):
        raise silent[0]
    for error in silent:
        say(str(error))
    nothing = "The others hold nothing." if silent else "Nothing is held."
    options.output.rows(found, _COLUMNS, nothing=nothing)
    return ExitCode.PARTLY if silent else ExitCode.OK


@command(app, "show")
async def show(options: Asks, place: Place) -> None:
    """Show one held command, without its content.

    keyturn held show keyturn.workflow.commands-3-7
    """
    await _show(options, place)


@command(app, "retry")
async def retry(options: Asks, place: Place, *, dry_run: DryRun = False) -> None:
    """Have a held command tried at once, as if for the first time.

    keyturn held retry keyturn.workflow.commands-3-7
    """
    if dry_run:
        await _show_only(options, place)
        return
    await _change(options, place, "retry")
    say("It is tried now; see `keyturn held list`.")


@command(app, "drop")
async def drop(
    options: Asks,
    place: Place,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Give a held command up; its sender is told.

    keyturn held drop keyturn.workflow.commands-3-7
    """
    if dry_run:
        await _show_only(options, place)
        return
    if not yes:
        ask_consent(f"Give up what is held at {place}?", "drop")
    await _change(options, place, "drop")
    say("It is given up when its turn comes, at once where it is the first of its key.")


async def _show(options: Asks, place: str) -> None:
    async with options.http("operator") as http:
        options.output.one(await http.get(_service_of(place), f"/v1/held/{place}"), _FIELDS)


async def _show_only(options: Asks, place: str) -> None:
    await _show(options, place)
    say("Nothing was changed.")


async def _change(options: Asks, place: str, what: Literal["retry", "drop"]) -> None:
    async with options.http("operator") as http:
        try:
            changed = await http.post(_service_of(place), f"/v1/held/{place}/{what}", Part())
        except RejectedError as error:
            # The place is one: what it holds has its turn after another.
            raise Problem(str(error), ExitCode.CONFLICT) from None
    options.output.one(changed, _FIELDS)


def _service_of(place: str) -> str:
    """Return which service holds what lies there."""
    found = _PLACE.fullmatch(place)
    if found is None or found["service"] not in SERVICES:
        raise usage("That is no place: `keyturn held list` shows them.")
    return found["service"]
