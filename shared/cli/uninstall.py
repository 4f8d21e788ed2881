"""`keyturn uninstall`: see what it touches, then end all access to an extension."""

import asyncio
from typing import Annotated

import typer
from keyturn_client.http import Http
from keyturn_contracts.installation import UninstallExtension

from shared.cli.asking import command
from shared.cli.consent import ask_consent
from shared.cli.exit_codes import ExitCode
from shared.cli.finding import found
from shared.cli.ids import ExtensionArgument
from shared.cli.installations import write_impact
from shared.cli.options import Sends
from shared.cli.output import Row, say
from shared.cli.problems import Problem, as_usage
from shared.cli.progress import waiting
from shared.cli.sending import send

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

    Shows what that touches and asks. Refused where the world has changed since.

    keyturn uninstall loud-mail --reason "We changed to another." --watch
    """
    async with options.http() as http:
        if revision is None and not force:
            impact = await found(http.get("installation", f"/v1/installations/{extension}/impact"))
            write_impact(impact, say)
            ask_consent("This cannot be undone.", extension)
            revision = impact["revision"]
        with as_usage():
            asked = UninstallExtension(
                extension=extension, revision=revision, force=force, reason=reason
            )
        async with options.backend() as backend:
            code = await send(options, backend, asked, about={"extension": extension})
        if code is ExitCode.OK and watch and options.wait and not options.dry_run:
            await _watch(http, extension, options.timeout)
    return code


async def _watch(http: Http, extension: str, seconds: float) -> None:
    last: str = "nobody has said anything yet"
    try:
        async with asyncio.timeout(seconds):
            with waiting(f"Waiting until nothing of {extension} is left"):
                while True:
                    shown = await found(http.get("installation", f"/v1/installations/{extension}"))
                    process: Row = shown.get("uninstallation", {})
                    if shown["state"] == "uninstalled":
                        break
                    last = ", ".join(process.get("waiting", ())) or last
                    await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        raise Problem(
            f"It is not complete within {seconds:g} s and goes on; missing: {last}. "
            f"Look again: keyturn installations show {extension}",
            ExitCode.TIMED_OUT,
        ) from None
    say(
        f"Nothing of {extension} is left: {process['accounts']} accounts were deleted, "
        f"{process['tasks']} tasks suspended."
    )
