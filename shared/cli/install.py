"""`keyturn install`: look at what installing accepts, then accept exactly that."""

from typing import Annotated

import typer
from keyturn_contracts.installation import AcceptChange, InstallExtension

from shared.cli.asking import command
from shared.cli.consent import ask_consent
from shared.cli.exit_codes import ExitCode
from shared.cli.finding import found
from shared.cli.ids import ExtensionArgument
from shared.cli.options import Sends
from shared.cli.output import say_lines
from shared.cli.problems import as_usage
from shared.cli.reviewing import review_lines
from shared.cli.sending import send

app = typer.Typer(add_completion=False)


@command(app, "install")
async def install(
    options: Sends,
    extension: ExtensionArgument,
    accept: Annotated[
        str | None,
        typer.Option(
            metavar="DIGEST", help="Accept this without being asked: the review's digest."
        ),
    ] = None,
) -> ExitCode:
    """Install an extension, or accept what its newest version asks for beyond the accepted one.

    Shows what that accepts and asks; or takes the digest of a review that somebody has looked at.
    Ends with 4 where the review is another one by now.

    keyturn install loud-mail
    keyturn installations review loud-mail -o json
    keyturn install loud-mail --accept 3f5a...
    """
    async with options.http() as http:
        review = await found(http.get("installation", f"/v1/installations/{extension}/review"))
    digest: str = accept or review["digest"]
    needed = review["needed"]
    if accept is None and needed != "nothing":
        # For the person who is asked: what is written to stdout is the outcome.
        say_lines(review_lines(review))
        if not options.dry_run:
            ask_consent(
                "This is what you accept for your brand.",
                extension,
                instead=f"accept exactly this with --accept {digest}",
            )
    with as_usage():
        asked = (
            AcceptChange(extension=extension, accepts=digest)
            if needed == "accept_change"
            else InstallExtension(extension=extension, accepts=digest)
        )
    async with options.backend() as backend:
        return await send(options, backend, asked, about={"extension": extension})
