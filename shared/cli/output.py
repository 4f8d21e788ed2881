"""Data on stdout, as a table for people or as JSON for programs; sentences on stderr."""

import json
import sys
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]
"""An object as a service's JSON has it."""


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
        return _text(row.get(self.of) if isinstance(self.of, str) else self.of(row))


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


def printable(text: str) -> str:
    """Return a text that moves no cursor: names are chosen by people, and not only by good ones."""
    return "".join(
        character if character.isprintable() or character == " " else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


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

    def one(self, item: Row, fields: Sequence[Column], parts: Iterable[Part] = ()) -> None:
        """Write a single thing; of its fields those that are empty have no line in a table."""
        if self.format is not Format.TABLE:
            _write_json(item, indent=2 if self.format is Format.JSON else None)
            return
        _write_lines([(field.title, cell) for field in fields if (cell := field.cell(item))])
        for part in parts:
            if part.rows:
                sys.stdout.write(f"\n{part.title}\n")
                _write_table(part.rows, part.columns)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return ", ".join(f"{name}={_text(one)}" for name, one in items)
    if isinstance(value, list | tuple):
        return ", ".join(_text(one) for one in cast("Sequence[object]", value))
    return printable(str(value))


def _write_json(value: object, *, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    # Unpaired surrogates are valid in JSON and in no encoding of a stream.
    sys.stdout.write(text.encode(errors="backslashreplace").decode() + "\n")
    if indent is None:
        sys.stdout.flush()  # whoever reads line by line waits for each


def _write_lines(lines: Sequence[tuple[str, str]]) -> None:
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
            table.add_column(column.title, overflow="fold")
        for line in cells:
            table.add_row(*(Text(cell) for cell in line))
        Console().print(table)
        return
    titles = [column.title for column in columns]
    widths = [max(map(cell_len, column)) for column in zip(titles, *cells, strict=True)]
    for line in [titles, *cells]:
        padded = (
            cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)
        )
        sys.stdout.write("  ".join(padded).rstrip() + "\n")
