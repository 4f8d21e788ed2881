"""`keyturn uninstall`: see what it touches, then end all access to an extension."""

import asyncio
from typing import Annotated

import typer
from keyturn_client.http import Http
from keyturn_contracts.installation import PARTICIPANTS, UninstallExtension
from keyturn_contracts.message import CommandRefused

from shared.cli.asking import command
from shared.cli.consent import ask_consent
from shared.cli.exit_codes import ExitCode
from shared.cli.finding import found
from shared.cli.ids import ExtensionArgument
from shared.cli.installations import counts_of, found_impact, impact_lines
from shared.cli.options import Sends
from shared.cli.output import Row, say, say_lines
from shared.cli.problems import Problem, as_usage
from shared.cli.progress import watching
from shared.cli.sending import ask, send, tell

app = typer.Typer(add_completion=False)

_LOOK_SECONDS = 0.5


@command(app, "uninstall")
async def uninstall(
    options: Sends,
    extension: ExtensionArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "No reason was given.",
    revision: Annotated[
        str | None,
        typer.Option(metavar="DIGEST", help="Of the impact that somebody has looked at."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Whatever it touches by now, without being asked.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Wait until nothing of it is left.")
    ] = False,
) -> ExitCode:
    """End all access to an extension, delete its accounts and suspend its tasks.

    Shows what that touches and asks; ends with 4 where the world has changed since. With --watch it
    is told how far that has got, until it is complete; ends with 7 where it is not in --timeout.

    keyturn uninstall loud-mail --reason "We changed to another." --watch
    keyturn uninstall loud-mail --force --watch --timeout 600
    """
    async with options.http() as http:
        if revision is None and not force:
            revision = await _looked_at(options, http, extension)
        with as_usage():
            asked = UninstallExtension(
                extension=extension, revision=revision, force=force, reason=reason
            )
        async with options.backend() as backend:
            if options.dry_run or not (watch and options.wait):
                return await send(options, backend, asked, about={"extension": extension})
            prepared = backend.prepare(asked)
            outcome = await ask(options, backend, prepared)
        about: Row = {"extension": extension, "command_id": prepared.id}
        if not isinstance(outcome, CommandRefused):
            about = {**about, **await _watch(http, extension, options.timeout)}
        return tell(options.output, outcome, about=about)


async def _looked_at(options: Sends, http: Http, extension: str) -> str | None:
    """Show what an uninstallation touches, and return the revision of what was agreed to.

    None where one is under way: it touches nothing more, and can be watched.
    """
    path = f"/v1/installations/{extension}"
    if (await found(http.get("installation", path)))["state"] == "uninstalling":
        return None
    impact = await found_impact(http, extension)
    say_lines(impact_lines(impact))
    revision: str = impact["revision"]
    if not options.dry_run:
        ask_consent(
            "This cannot be undone.",
            extension,
            instead=f"agree to exactly this with --revision {revision}",
        )
    return revision


async def _watch(http: Http, extension: str, seconds: float) -> Row:
    """Tell how far it has got, and return what there was when it was complete."""
    path = f"/v1/installations/{extension}"
    process: Row = {"waiting": PARTICIPANTS, "accounts": 0, "tasks": 0, "grants": 0}
    try:
        async with asyncio.timeout(seconds):
            with watching(f"Uninstalling {extension}") as watched:
                shown = await found(http.get("installation", path))
                while shown["state"] == "uninstalling":
                    process = shown["uninstallation"]
                    watched.show(_done(process), len(PARTICIPANTS), _note(process))
                    await asyncio.sleep(_LOOK_SECONDS)
                    shown = await found(http.get("installation", path))
                process = shown.get("uninstallation", process)
                watched.show(len(PARTICIPANTS), len(PARTICIPANTS), counts_of(process))
    except TimeoutError:
        raise Problem(
            f"It is not complete within {seconds:g} s and goes on. Missing: "
            f"{', '.join(process['waiting'])}. Go on watching: keyturn uninstall {extension} "
            "--watch",
            ExitCode.TIMED_OUT,
        ) from None
    say(f"Nothing of {extension} is left: {counts_of(process)}.")
    return {
        "state": shown["state"],
        "accounts_deleted": process["accounts"],
        "tasks_suspended": process["tasks"],
        "grants_ended": process["grants"],
    }


def _done(process: Row) -> int:
    return len(PARTICIPANTS) - len(process["waiting"])


def _note(process: Row) -> str:
    late = "; it is late" if process["overdue"] else ""
    return f"{counts_of(process)}; waits for {', '.join(process['waiting'])}{late}"
