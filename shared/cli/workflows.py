"""`keyturn workflows`: what engines have told of, and what is still behind."""

import typer

from shared.cli.asking import command
from shared.cli.ids import OfAccount, OfEngine
from shared.cli.options import Asks
from shared.cli.output import Column

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="See what engines have told of, and what is still behind.",
)

_SERVICE = "workflow"
_COLUMNS = (
    Column("ENGINE", "engine_id"),
    Column("WORKFLOW", "workflow_id"),
    Column("NAME", "name"),
    Column("OWNER", "owner"),
    Column("PREVIEW", "preview"),
)
_BEHIND = (
    Column("ROLLOUT", "rollout_id"),
    Column("ENGINE", "engine_id"),
    Column("WORKFLOW", "workflow_id"),
    Column("NAME", "name"),
    Column("WHY", "why"),
    Column("REASON", "reason"),
)


@command(app, "list")
async def list_workflows(options: Asks, engine: OfEngine = None, account: OfAccount = None) -> None:
    """List the workflows that engines have told of.

    keyturn workflows list --engine letters
    """
    async with options.http() as http:
        await options.output.each(
            http.pages(_SERVICE, "/v1/workflows", _given(engine=engine, account=account)),
            _COLUMNS,
            nothing="No engine has told of a workflow.",
        )


@command(app, "behind")
async def behind(
    options: Asks,
    engine: OfEngine = None,
    account: OfAccount = None,
) -> None:
    """List the workflows that do not have the newest version of an account yet, and why.

    keyturn workflows behind --account mail
    """
    async with options.http() as http:
        await options.output.each(
            http.pages(_SERVICE, "/v1/workflows/behind", _given(engine=engine, account=account)),
            _BEHIND,
            nothing="No workflow is behind.",
        )


def _given(**filters: str | None) -> dict[str, str]:
    return {name: value for name, value in filters.items() if value is not None}
