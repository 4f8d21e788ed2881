"""What the demo shows: sentences with the time since it began, and how far something has got."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

_PLAIN_PAUSE = 3.0
"""How often progress is a line of its own, where it cannot be drawn."""


class Screen:
    """A terminal, or a file: there everything is a plain line, however long."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._began = time.monotonic()

    def say(self, sentence: str, *, style: str = "") -> None:
        elapsed = f"{time.monotonic() - self._began:6.1f} s  "
        self._line(Text.assemble((elapsed, "dim"), (sentence, style)))

    def warn(self, sentence: str) -> None:
        """Say what is not as it was promised."""
        self.say(sentence, style="bold red")

    def table(self, rows: Mapping[str, str]) -> None:
        if not self._console.is_terminal:
            for name, value in rows.items():
                self._line(Text(f"{name}: {value}"))
            return
        table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
        for name, value in rows.items():
            table.add_row(Text(name, style="dim"), Text(value))
        self._console.print(table)

    def result(self, sentence: str, *, good: bool) -> None:
        self._line(Text(sentence, style="bold green" if good else "bold red"))

    @contextmanager
    def watch(self, what: str, total: int) -> Generator["Watch"]:
        """Show how far something has got until it is done; drawn where that is possible."""
        with Progress(
            TextColumn("          {task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        ) as drawn:
            task = drawn.add_task(what, total=total, note="")
            plain = None if self._console.is_terminal else self
            yield Watch(drawn, task, plain, f"{what}: {{}} of {total}{{}}")

    def _line(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)


class Watch:
    """One thing whose progress is shown."""

    def __init__(self, drawn: Progress, task: TaskID, plain: Screen | None, line: str) -> None:
        self._drawn = drawn
        self._task = task
        self._plain = plain
        self._line = line
        self._said_at = time.monotonic()

    def show(self, done: int, note: str = "") -> None:
        self._drawn.update(self._task, completed=done, note=note)
        if self._plain is not None and time.monotonic() - self._said_at >= _PLAIN_PAUSE:
            self._said_at = time.monotonic()
            self._plain.say(self._line.format(f"{done:,}", f" ({note})" if note else ""))
