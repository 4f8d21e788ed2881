"""Data on stdout, as a table for people or as JSON for programs; sentences on stderr."""

import json
import re
import sys
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TextIO, cast

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]
"""An object as a service's JSON has it."""

_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and symbols that look like a space, or like nothing at all."""
_NOT_SHOWN = re.compile(r"[^ -~\n]")
"""What a text of JSON may hold that is not plain ASCII."""
_FURTHER_IN = 4
_NARROWEST = 20


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table, or one line of a single thing; JSON always shows everything."""

    title: str
    of: str | Callable[[Row], object]
    """The name of what stands in it, or what makes it of a row."""

    def cell(self, row: Row) -> str:
        return text_of(row.get(self.of) if isinstance(self.of, str) else self.of(row))


@dataclass(frozen=True, slots=True)
class Part:
    """A list inside a single thing; in a table it follows under its title."""

    title: str
    rows: Sequence[Row]
    columns: Sequence[Column]


def say(sentence: str) -> None:
    """Tell a person something."""
    sys.stderr.write(f"{printable(sentence)}\n")
    sys.stderr.flush()


def say_lines(lines: Iterable[str]) -> None:
    """Tell a person something of several lines, each with what it says of whom further in."""
    _write_folded(lines, sys.stderr)


def printable(text: str) -> str:
    """Return a text that moves no cursor: names are chosen by people, and not only by good ones."""
    return "".join(one if _is_shown(one) else "\N{REPLACEMENT CHARACTER}" for one in text)


def _is_shown(character: str) -> bool:
    return character.isprintable() and character not in _BLANK


def counted(number: int, noun: str) -> str:
    """Return `1 engine`, `2 engines`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class Output:
    """Writes data, once or row by row, in the format that was asked for."""

    def __init__(self, format_: Format = Format.TABLE) -> None:
        self.format = format_

    @property
    def is_for_people(self) -> bool:
        return self.format is Format.TABLE

    async def each(
        self, rows: AsyncIterable[Row], columns: Sequence[Column], *, nothing: str
    ) -> int:
        """Write a list as it comes; `nothing` is said where it is empty. Return how many."""
        if self.format is not Format.NDJSON:
            return self.rows([row async for row in rows], columns, nothing=nothing)
        count = 0
        async for row in rows:
            _write_json(row, indent=None)
            count += 1
        return count

    def rows(self, rows: Sequence[Row], columns: Sequence[Column], *, nothing: str) -> int:
        """Write a list; `nothing` is the sentence for an empty one."""
        if self.format is Format.JSON:
            _write_json(list(rows), indent=2)
        elif self.format is Format.NDJSON:
            for row in rows:
                _write_json(row, indent=None)
        elif rows:
            _write_table(rows, columns)
        else:
            say(nothing)
        return len(rows)

    def lines(self, lines: Iterable[str]) -> None:
        """Write an answer in lines for people: how far in one stands says what it belongs to."""
        _write_folded(lines, sys.stdout)

    def exactly(self, content: bytes) -> None:
        """Write what was signed, byte by byte, whatever the format."""
        sys.stdout.buffer.write(content)
        sys.stdout.flush()

    def one(self, item: Row, fields: Sequence[Column], parts: Iterable[Part] = ()) -> None:
        """Write a single thing; of its fields those that are empty have no line in a table."""
        if self.format is not Format.TABLE:
            _write_json(item, indent=2 if self.format is Format.JSON else None)
            return
        _write_lines([(field.title, cell) for field in fields if (cell := field.cell(item))])
        for part in parts:
            if part.rows:
                sys.stdout.write(f"\n{printable(part.title)}\n")
                _write_table(part.rows, part.columns)


def text_of(value: object) -> str:
    """Return a value of a service's JSON as people read it, on one line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return ", ".join(f"{text_of(name)}={text_of(one)}" for name, one in items)
    if isinstance(value, list | tuple):
        return ", ".join(text_of(one) for one in cast("Sequence[object]", value))
    return printable(str(value))


def _write_json(value: object, *, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    # The same text to whoever reads JSON, and nothing that a terminal would do.
    sys.stdout.write(_NOT_SHOWN.sub(_escaped, text) + "\n")
    if indent is None:
        sys.stdout.flush()  # whoever reads line by line waits for each


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    return character if _is_shown(character) else json.dumps(character)[1:-1]


def _write_folded(lines: Iterable[str], to: TextIO) -> None:
    """Write lines; what a terminal has no room for goes on further in.

    So nobody's text begins a line, however many spaces it has.
    """
    console = Console(file=to)
    for line in map(printable, lines):
        if not to.isatty():
            to.write(f"{line}\n")
            continue
        text = line.lstrip()
        inside = " " * (len(line) - len(text))
        room = max(_NARROWEST, console.width - len(inside) - _FURTHER_IN)
        parts = [part.plain for part in Text(text).wrap(console, room, overflow="fold")]
        to.write(f"\n{inside}{' ' * _FURTHER_IN}".join([inside + parts[0], *parts[1:]]) + "\n")
    to.flush()


def _write_lines(pairs: Sequence[tuple[str, str]]) -> None:
    lines = [(printable(title), cell) for title, cell in pairs]
    width = max((len(title) for title, _ in lines), default=0)
    if sys.stdout.isatty():
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for title, cell in lines:
            table.add_row(Text(title, style="dim"), Text(cell, overflow="fold"))
        Console().print(table)
        return
    for title, cell in lines:
        sys.stdout.write(f"{title:<{width}}  {cell}\n")


def _write_table(rows: Sequence[Row], columns: Sequence[Column]) -> None:
    cells = [[column.cell(row) for column in columns] for row in rows]
    if sys.stdout.isatty():
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            table.add_column(Text(printable(column.title)), overflow="fold")
        for line in cells:
            table.add_row(*(Text(cell) for cell in line))
        Console().print(table)
        return
    titles = [printable(column.title) for column in columns]
    widths = [max(map(cell_len, column)) for column in zip(titles, *cells, strict=True)]
    for line in [titles, *cells]:
        padded = (
            cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)
        )
        sys.stdout.write("  ".join(padded).rstrip() + "\n")
