"""`keyturn installations`: what is installed, what it accepted, and what its end would touch."""

from collections.abc import Iterator
from typing import Annotated

import typer
from keyturn_client.http import Http
from keyturn_client.problems import RejectedError
from keyturn_contracts.installation import InstallationState

from shared.cli.asking import command
from shared.cli.exit_codes import ExitCode
from shared.cli.finding import filters_of, found
from shared.cli.ids import ExtensionArgument
from shared.cli.options import Asks
from shared.cli.output import Column, Part, Row, counted
from shared.cli.problems import Problem
from shared.cli.reviewing import review_lines

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="See what is installed, what it accepted, and what its end would touch.",
)


def _asks(row: Row) -> object:
    proposed = row.get("proposed")
    return proposed["changes"] if proposed else None


def _uninstallation(row: Row) -> str | None:
    process = row.get("uninstallation")
    if not process:
        return None
    if process.get("completed_at"):
        return f"complete: {counts_of(process)}"
    late = ", late" if process.get("overdue") else ""
    return f"waits for {', '.join(process['waiting'])}{late}"


_COLUMNS = (
    Column("EXTENSION", "extension"),
    Column("NAME", "name"),
    Column("BY", "by"),
    Column("PREVIEW", "preview"),
    Column("STATE", "state"),
    Column("WITH THE LICENCE", "implicit"),
    Column("DOMAINS", "domain_count"),
    Column("ASKS FOR MORE", lambda row: bool(row.get("proposed"))),
)
_FIELDS = (
    Column("Extension", "extension"),
    Column("Name", "name"),
    Column("By", "by"),
    Column("Preview", "preview"),
    Column("State", "state"),
    Column("With the licence", "implicit"),
    Column("Version", "version"),
    Column("Domains", lambda row: row["domains"] or row.get("note")),
    Column("May read", "permissions"),
    Column("Asks for more", _asks),
    Column("Uninstallation", _uninstallation),
)
_CONSENTS = (
    Column("BY", "by"),
    Column("AT", "at"),
    Column("VERSION", lambda row: row["review"]["version"]),
    Column("DIGEST", "digest"),
)


@command(app, "list")
async def list_installations(
    options: Asks,
    state: Annotated[InstallationState | None, typer.Option(help="Only in this state.")] = None,
) -> None:
    """List what the brand has installed; `--state uninstalled` lists what it had.

    keyturn installations list
    keyturn installations list --state suspended -o ndjson
    """
    async with options.http() as http:
        pages = http.pages("installation", "/v1/installations", filters_of(state=state))
        await options.output.each(pages, _COLUMNS, nothing="Nothing is installed.")


@command(app, "show")
async def show(options: Asks, extension: ExtensionArgument) -> None:
    """Show an installation, with everything that was ever accepted for it.

    keyturn installations show loud-mail
    """
    async with options.http() as http:
        shown = await found(http.get("installation", f"/v1/installations/{extension}"))
    options.output.one(shown, _FIELDS, [Part("CONSENTS", shown["consents"], _CONSENTS)])


@command(app, "review")
async def review(options: Asks, extension: ExtensionArgument) -> None:
    """Show what installing an extension accepts, and the digest of it.

    keyturn installations review loud-mail
    keyturn installations review loud-mail -o json
    """
    async with options.http() as http:
        shown = await found(http.get("installation", f"/v1/installations/{extension}/review"))
    if options.output.is_for_people:
        options.output.lines([*review_lines(shown), f"Digest: {shown['digest']}"])
    else:
        options.output.one(shown, ())


@command(app, "impact")
async def impact(options: Asks, extension: ExtensionArgument) -> None:
    """Show what uninstalling an extension would touch now, and the revision of this answer.

    keyturn installations impact loud-mail
    """
    async with options.http() as http:
        shown = await found_impact(http, extension)
    if options.output.is_for_people:
        options.output.lines([*impact_lines(shown), f"Revision: {shown['revision']}"])
    else:
        options.output.one(shown, ())


async def found_impact(http: Http, extension: str) -> Row:
    """Return what an uninstallation would touch, or tell that it cannot be."""
    try:
        return await found(http.get("installation", f"/v1/installations/{extension}/impact"))
    except RejectedError as error:  # as the command is refused: it comes with the licence
        raise Problem(str(error), ExitCode.NOT_ALLOWED) from None


def counts_of(process: Row) -> str:
    """Say what an uninstallation has ended so far."""
    accounts, tasks = counted(process["accounts"], "account"), counted(process["tasks"], "task")
    grants = counted(process["grants"], "grant")
    return f"{accounts} deleted, {tasks} suspended, {grants} ended"


def impact_lines(shown: Row) -> Iterator[str]:
    """Yield for people what uninstalling touches."""
    counts = [
        counted(shown[f"{one}_count"], one) for one in ("account", "user", "workflow", "task")
    ]
    yield f"Uninstalling {shown['extension']} touches {', '.join(counts)}."
    if shown["added_domains"]:
        yield f"It gives up {counted(shown['added_domains'], 'domain')} that the brand added."
    for user in shown.get("users") or ():
        yield f"  user {user}"
    for one in shown.get("accounts") or ():
        yield f"  account {one['account_id']}, added by {one['creator']}: {one['name']}"
    for one in shown.get("engines") or ():
        yield (
            f"  engine {one['engine_id']}: {counted(one['workflows'], 'workflow')}, "
            f"{counted(one['tasks'], 'task')}"
        )
    yield shown["note"]
