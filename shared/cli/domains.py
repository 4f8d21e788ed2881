"""`keyturn domains`: which domains an extension may reach."""

from typing import Annotated

import typer
from keyturn_contracts.ids import Slug
from keyturn_contracts.installation import AddDomains, RemoveDomains
from keyturn_contracts.message import Part as Content

from shared.cli.asking import command
from shared.cli.exit_codes import ExitCode
from shared.cli.finding import found
from shared.cli.ids import ExtensionArgument
from shared.cli.options import Asks, Sends
from shared.cli.output import Column, Format, say
from shared.cli.problems import as_usage
from shared.cli.sending import send

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="See and say which domains an extension may reach.",
)

_COLUMNS = (
    Column("DOMAIN", "shown"),
    Column("FROM", "origin"),
    Column("IN FORCE", lambda row: "as accounts say" if row.get("slots") else row["in_force"]),
    Column("FOR", lambda row: row.get("purpose") or row.get("reason")),
    Column("BY", "by"),
    Column("ACCOUNTS", "accounts"),
    Column("WIDE", "wide"),
)
_JUDGED = (
    Column("Allowed", "allowed"),
    Column("Because", "message"),
    Column("Rule", "rule"),
    Column("Revision", "revision"),
)
Domains = Annotated[
    list[str], typer.Argument(metavar="DOMAIN...", help="For example *.example.com")
]
Why = Annotated[str, typer.Option("--reason", help="Why, for the record.")]


class _Question(Content):
    extension: Slug
    url: str


class _Questions(Content):
    questions: tuple[_Question, ...]


@command(app, "list")
async def list_domains(options: Asks, extension: ExtensionArgument) -> None:
    """List what an extension may reach, and where each rule is from.

    With `-o json` also the effective list, its revision and what was changed of late.

    keyturn domains list loud-mail
    """
    async with options.http() as http:
        shown = await found(http.get("installation", f"/v1/installations/{extension}/domains"))
    if options.output.format is Format.JSON:
        options.output.one(shown, ())
        return
    note = shown.get("note") or ""
    options.output.rows(shown["list"], _COLUMNS, nothing=note)
    if shown["list"] and note:
        say(note)


@command(app, "add")
async def add(
    options: Sends, extension: ExtensionArgument, domains: Domains, reason: Why
) -> ExitCode:
    """Let an extension reach more, where it allows that; each domain has a verdict of its own.

    Ends with 6 where some were not added, with 2 where none was.

    keyturn domains add webservice api.example.com "*.example.org" --reason "Our own services."
    """
    with as_usage():
        asked = AddDomains(extension=extension, domains=tuple(domains), reason=reason)
    async with options.backend() as backend:
        return await send(options, backend, asked, about={"extension": extension})


@command(app, "remove")
async def remove(
    options: Sends, extension: ExtensionArgument, domains: Domains, reason: Why
) -> ExitCode:
    """Take domains away that the brand added; what the extension declares stays.

    keyturn domains remove webservice api.example.com --reason "It has moved."
    """
    with as_usage():
        asked = RemoveDomains(extension=extension, domains=tuple(domains), reason=reason)
    async with options.backend() as backend:
        return await send(options, backend, asked, about={"extension": extension})


@command(app, "test")
async def test(
    options: Asks,
    extension: ExtensionArgument,
    url: Annotated[str, typer.Argument(help="For example https://api.example.com/v1")],
) -> ExitCode:
    """Say whether an extension may connect to a URL, and why. Ends with 5 where it may not.

    keyturn domains test webservice https://api.example.com/v1
    """
    with as_usage():
        asked = _Questions(questions=(_Question(extension=extension, url=url),))
    async with options.http() as http:
        [judged] = (await http.post("installation", "/v1/decisions", asked))["decisions"]
    options.output.one(judged, _JUDGED)
    return ExitCode.OK if judged["allowed"] else ExitCode.NOT_ALLOWED
