"""`keyturn licence`: which extensions a brand may see and use."""

from typing import Annotated

import typer
from keyturn_contracts.catalog import SetLicence

from shared.cli.asking import command
from shared.cli.exit_codes import ExitCode
from shared.cli.options import Asks, Sends
from shared.cli.output import Column, say
from shared.cli.problems import as_usage, usage
from shared.cli.sending import send

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="See and say what a brand may use."
)

_FIELDS = (
    Column("Brand", "brand"),
    Column("Extensions", "extensions"),
    Column("Named", "named"),
    Column("Plans", "plans"),
    Column("Since", "set_at"),
)


@command(app, "show")
async def show(options: Asks) -> None:
    """Show which extensions the brand may use, and by which plans.

    keyturn licence show --brand acme
    """
    async with options.http() as http:
        shown = await http.get("catalog", "/v1/licence")
    options.output.one(shown, _FIELDS)
    if not shown["extensions"]:
        say("The brand may use nothing.")


@command(app, "set")
async def set_(
    options: Sends,
    *,
    extension: Annotated[
        list[str] | None, typer.Option(metavar="SLUG", help="An extension; as often as needed.")
    ] = None,
    plan: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A named set of extensions; as often as needed."),
    ] = None,
    nothing: Annotated[bool, typer.Option("--nothing", help="Take everything away.")] = False,
) -> ExitCode:
    """Say exactly what the brand may use; what is not named ends. For operators of the platform.

    keyturn licence set --brand acme --plan everything-first-party
    keyturn licence set --brand acme --extension smtp-relay --extension slack
    """
    if nothing == bool(extension or plan):
        raise usage("Name what it may use, by --extension or --plan; or --nothing.")
    with as_usage():
        asked = SetLicence(extensions=tuple(extension or ()), plans=tuple(plan or ()))
    async with options.backend("operator") as backend:
        return await send(options, backend, asked, about={"brand": backend.brand})
