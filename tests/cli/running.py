"""The command line as a test calls it, without a process."""

import typer
from typer.testing import CliRunner, Result

from shared.cli.groups import Groups

_root = typer.Typer(cls=Groups, add_completion=False)


@_root.callback()
def _keyturn() -> None:
    """Stand where the composition root stands: with the groups and nothing else."""


def run(*words: str, stdin: str | bytes | None = None) -> Result:
    """Run a command; what is no sentence of ours is raised."""
    result = CliRunner().invoke(_root, words, input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
