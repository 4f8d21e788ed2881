"""Members from a file, CSV or JSON: what is wrong is told by line, all of it at once."""

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from keyturn_contracts.access import MAX_REGISTERED, NewMember, RegisterMembers
from keyturn_contracts.message import MAX_MESSAGE_BYTES
from pydantic import ValidationError

from shared.cli.output import counted, say
from shared.cli.problems import usage

STDIN = Path("-")
_NAMES = ("member_id", "name", "role")
_MUST = {
    "member_id": "member_id has 1 to 128 visible ASCII characters, and neither / nor *",
    "name": "name is a text of at most 120 characters",
    "role": "role is administrator or member; without one it is member",
}
_AROUND = 100
"""Bytes of a command around its members."""


class _Unreadable(Exception):  # noqa: N818  what follows it cannot be read either
    """A line from which on the file makes no sense."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line


def read_members(file: Path) -> tuple[NewMember, ...]:
    """Return the members that a file names; where any row is wrong, tell of all, and nothing else.

    CSV begins with a header of `member_id`, `name`, `role`; JSON is an array of objects with
    these. `-` is stdin.
    """
    text = _text_of(file)
    is_json = file.suffix.lower() == ".json" or text.lstrip()[:1] in {"[", "{"}
    members: dict[str, NewMember] = {}
    lines: dict[str, int] = {}
    wrong = 0
    try:
        for line, row in _json_rows(text) if is_json else _csv_rows(text):
            one, problems = _read(row)
            if one is not None and one.member_id in lines:
                problems = [f"{one.member_id} stands in line {lines[one.member_id]} already"]
            elif one is not None:
                members[one.member_id], lines[one.member_id] = one, line
            for problem in problems:
                say(f"Line {line}: {problem}.")
            wrong += bool(problems)
    except _Unreadable as error:
        say(f"Line {error.line}: {error}.")
        wrong += 1
    if wrong:
        rows = counted(wrong, "row")
        raise usage(f"{_called(file)} has {rows} that cannot be used. Nothing was sent.")
    if not members:
        raise usage(f"{_called(file)} names nobody.")
    return tuple(members.values())


def in_commands(members: Sequence[NewMember]) -> list[RegisterMembers]:
    """Return as many commands as it takes, administrators first: a list has to have one."""
    commands: list[RegisterMembers] = []
    some: list[NewMember] = []
    size = _AROUND
    for one in sorted(members, key=lambda one: one.role != "administrator"):
        bytes_ = len(one.to_json()) + 1
        if some and (len(some) == MAX_REGISTERED or size + bytes_ > MAX_MESSAGE_BYTES):
            commands.append(RegisterMembers(members=tuple(some)))
            some, size = [], _AROUND
        some.append(one)
        size += bytes_
    commands.append(RegisterMembers(members=tuple(some)))
    return commands


def _called(file: Path) -> str:
    return "stdin" if file == STDIN else str(file)


def _text_of(file: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if file == STDIN else file.read_bytes()
    except OSError as error:
        raise usage(f"{file} cannot be read: {error.strerror}.") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise usage(f"{_called(file)} is not text in UTF-8.") from None


def _read(row: object) -> tuple[NewMember | None, list[str]]:
    """Return the member that a row says, or what is wrong with it."""
    if not isinstance(row, dict):
        return None, [f"a member is an object with {', '.join(_NAMES)}"]
    given = cast("dict[str, Any]", row)
    if strange := [one for one in given if one not in _NAMES]:
        return None, [f"there is no {one}, only {', '.join(_NAMES)}" for one in strange]
    try:
        return NewMember.model_validate(given), []
    except ValidationError as error:
        fields = {str(one["loc"][0]) for one in error.errors(include_input=False)}
        return None, [_MUST[name] for name in _NAMES if name in fields]


def _csv_rows(text: str) -> Iterator[tuple[int, object]]:
    reader = csv.reader(io.StringIO(text), strict=True)
    header: list[str] | None = None
    line = 1
    try:
        for cells in reader:
            row = [one.strip() for one in cells]
            if header is None and any(row):
                header = _header_of(row, line)
            elif header is not None and len(row) > len(header):
                raise _Unreadable(line, f"it has {len(row)} cells, and the header {len(header)}")
            elif header is not None and any(row):
                # An empty cell is as if it were not there: a name and a role may be missing.
                yield line, {name: one for name, one in zip(header, row, strict=False) if one}
            line = reader.line_num + 1
    except csv.Error as error:
        raise _Unreadable(line, f"it is no CSV ({error})") from None


def _header_of(row: list[str], line: int) -> list[str]:
    if "member_id" not in row or len({*row}) < len(row) or not {*row} <= {*_NAMES}:
        raise _Unreadable(line, f"the header of a CSV file is {','.join(_NAMES)}")
    return row


def _json_rows(text: str) -> Iterator[tuple[int, object]]:
    decoder = json.JSONDecoder()
    place = _behind_blanks(text, 0)
    line = 1 + text.count("\n", 0, place)
    if text[place : place + 1] != "[":
        raise _Unreadable(line, "a JSON file has an array of objects")
    mark = "["
    while mark != "]":
        begin = _behind_blanks(text, place + 1)
        line += text.count("\n", place, begin)
        if mark == "[" and text[begin : begin + 1] == "]":
            place = begin
            break
        try:
            value, end = decoder.raw_decode(text, begin)
        except (ValueError, RecursionError):
            raise _Unreadable(line, "it is no JSON from here on") from None
        yield line, value
        place = _behind_blanks(text, end)
        line += text.count("\n", begin, place)
        mark = text[place : place + 1]
        if mark not in {",", "]"}:
            raise _Unreadable(line, "a comma, or the array's end, is missing")
    if text[place + 1 :].strip():
        raise _Unreadable(line, "something stands behind the array")


def _behind_blanks(text: str, place: int) -> int:
    while text[place : place + 1] in {" ", "\t", "\r", "\n"}:
        place += 1
    return place
