"""`keyturn extensions`: for whom an installed extension is enabled."""

from typing import Annotated

import typer
from keyturn_contracts.access import DisableExtension, EnableExtension

from shared.cli.access import SomeMembers, whom
from shared.cli.asking import command
from shared.cli.exit_codes import ExitCode
from shared.cli.finding import filters_of, found
from shared.cli.ids import ExtensionArgument
from shared.cli.options import Asks, Sends
from shared.cli.output import Column
from shared.cli.problems import as_usage, usage
from shared.cli.sending import send

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="See and say for whom an installed extension is enabled.",
)

_COLUMNS = (
    Column("MEMBER", whom),
    Column("NAME", "name"),
    Column("BY", "by"),
    Column("SINCE", "since"),
)


@command(app, "enabled")
async def enabled(
    options: Asks,
    extension: ExtensionArgument,
    *,
    search: Annotated[
        str | None, typer.Option(help="Only whose id or name begins with this.")
    ] = None,
) -> None:
    """List for whom an extension is enabled.

    keyturn extensions enabled loud-mail
    """
    path = f"/v1/extensions/{extension}/enablements"
    async with options.http() as http:
        first = await found(http.get("access", path, {"limit": 1}))
        await options.output.each(
            http.pages("access", path, filters_of(search=search)),
            _COLUMNS,
            nothing=first.get("note") or f"{extension} is enabled for nobody.",
        )


@command(app, "enable")
async def enable(
    options: Sends,
    extension: ExtensionArgument,
    members: SomeMembers = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Everyone, whoever joins later too.")] = False,
) -> ExitCode:
    """Let members use an installed extension, or with --all everyone in the brand.

    keyturn extensions enable loud-mail bob carol
    keyturn extensions enable loud-mail --all
    """
    named = _named(members, all_=all_)
    with as_usage():
        asked = EnableExtension(extension=extension, members=named, all=all_)
    async with options.backend() as backend:
        return await send(options, backend, asked, about={"extension": extension})


@command(app, "disable")
async def disable(
    options: Sends,
    extension: ExtensionArgument,
    members: SomeMembers = None,
    *,
    all_: Annotated[
        bool, typer.Option("--all", help="What was enabled for everyone; not for members.")
    ] = False,
) -> ExitCode:
    """End that for members, or with --all what was enabled for everyone at once.

    keyturn extensions disable loud-mail bob
    """
    named = _named(members, all_=all_)
    with as_usage():
        asked = DisableExtension(extension=extension, members=named, all=all_)
    async with options.backend() as backend:
        return await send(options, backend, asked, about={"extension": extension})


def _named(members: list[str] | None, *, all_: bool) -> tuple[str, ...]:
    if bool(members) == all_:
        raise usage("Name members, or say --all: one of both.")
    return tuple(members or ())
