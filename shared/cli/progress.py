"""How far something has got: a bar on a terminal, lines elsewhere, both on stderr."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from shared.cli.output import printable, say


class Watched:
    """One thing that is watched; `show` it as often as you like, a line is written for a change."""

    def __init__(self, title: str, bar: Progress | None) -> None:
        self._title = title
        self._bar = bar
        shown = printable(title)
        self._task = bar.add_task("", title=shown, note="", total=None) if bar else None
        self._last = ""

    def show(self, done: int, total: int, note: str = "") -> None:
        note = printable(note)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total, note=note)
            return
        line = f"{self._title}: {done} of {total}" + (f" ({note})" if note else "")
        if line != self._last:
            say(line)
            self._last = line


@contextmanager
def watching(title: str) -> Generator[Watched]:
    """Show progress until the block ends."""
    if not sys.stderr.isatty():
        yield Watched(title, None)
        return
    bar = Progress(
        TextColumn("{task.fields[title]}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=Console(stderr=True),
        transient=False,
    )
    with bar:
        yield Watched(title, bar)


@contextmanager
def waiting(title: str) -> Generator[None]:
    """Show on a terminal that something is waited for; say nothing elsewhere."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(Text(printable(title))):
        yield
