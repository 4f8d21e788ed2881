"""`keyturn demo`: the main job, for real, with a tally that is counted by the mail server."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.demo.play import Play, Sabotage

_DATA = Path(__file__).parents[2] / ".keyturn" / "demo"


def demo(
    data_dir: Annotated[
        Path, typer.Option(help="A folder for this demo alone.", file_okay=False)
    ] = _DATA,
    *,
    workflows: Annotated[
        int, typer.Option(min=1, max=99_999, help="How many send mail through the account.")
    ] = 1000,
    rotations: Annotated[int, typer.Option(min=1, max=100, help="How often it is rotated.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running.")] = False,
    sabotage: Annotated[
        Sabotage, typer.Option(help="Have something go wrong on purpose, and see it told.")
    ] = "none",
) -> None:
    """Rotate a mail server's password under 1,000 workflows that keep sending.

    Everything that is shown was read from events, queries and the mail server's own log. Ends with
    1 where anything is not as promised, and with every sabotage.

    keyturn demo --workflows 100 --rotations 2
    """
    # Only here: the rest of the command line starts without it.
    from deploy.demo.run import run  # noqa: PLC0415
    from deploy.demo.screen import Screen  # noqa: PLC0415

    play = Play(
        folder=data_dir, workflows=workflows, rotations=rotations, sabotage=sabotage, keep=keep
    )
    if not run(play, Screen()):
        raise typer.Exit(1)
