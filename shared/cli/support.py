"""`keyturn support`: whom to turn to with a problem."""

from typing import Annotated, Literal

import typer

from shared.cli.asking import command
from shared.cli.finding import found_extension
from shared.cli.ids import ExtensionArgument
from shared.cli.options import Asks
from shared.cli.output import Column, Part

app = typer.Typer(add_completion=False)

_FIELDS = (Column("Problem", "problem"), Column("Because", "reason"))
_CONTACTS = (
    Column("NAME", "name"),
    Column("E-MAIL", "email"),
    Column("URL", "url"),
    Column("HOURS", "hours"),
    Column("DOCUMENTATION", "documentation"),
)


@command(app, "support")
async def support(
    options: Asks,
    extension: ExtensionArgument,
    problem: Annotated[
        Literal["vendor", "workflow", "interface"],
        typer.Option(
            help="vendor: in the vendor's product, or finding ids and keys there. workflow: "
            "building one. interface: errors in this product while setting the extension up."
        ),
    ] = "interface",
) -> None:
    """Say whom to turn to, the first one first, and why.

    keyturn support loud-mail --problem vendor
    keyturn support smtp-relay
    """
    async with options.http() as http:
        shown = await found_extension(http, extension, "/support", problem=problem)
    options.output.one(shown, _FIELDS, [Part("TURN TO", shown["contacts"], _CONTACTS)])
