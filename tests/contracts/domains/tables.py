"""Reads the tables of this folder; each says at its top how it is written."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|([tnr\\]))")
_LETTERS = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}


@dataclass(frozen=True)
class RuleCase:
    """A text, what comes of it, and with which options."""

    line: int
    text: str
    outcome: str
    stored: str
    private: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class UrlCase:
    """A URL, a list of rules, and what the list says of it."""

    line: int
    url: str
    rules: tuple[str, ...]
    code: str
    rule: str | None


@dataclass(frozen=True)
class TemplateCase:
    """A manifest's rule with patterns and values, and what comes of it."""

    line: int
    rule: str
    outcome: str
    slots: dict[str, str] = field(default_factory=dict[str, str])
    values: dict[str, str] = field(default_factory=dict[str, str])
    private: tuple[str, ...] = ()
    reason: str | None = None


def rule_cases() -> Iterator[RuleCase]:
    outcome, private, reason = "", (), None
    for number, line in _lines("rules.txt"):
        if line.startswith("@ "):
            outcome, *options = line[2:].split(" ", maxsplit=1)
            said = "".join(options)
            private = tuple(said.removeprefix("private=").split(",")) if "=" in said else ()
            reason = "Because." if said == "because" else None
            continue
        text, _, stored = line.partition(" => ")
        text = _plain(text)
        yield RuleCase(number, text, outcome, stored or text, private, reason)


def url_cases() -> Iterator[UrlCase]:
    rules, code = (), ""
    for number, line in _lines("urls.txt"):
        if line.startswith("@ rules"):
            rules = tuple(line.removeprefix("@ rules").split())
        elif line.startswith("@ "):
            code = line[2:]
        else:
            url, _, rule = line.partition(" => ")
            yield UrlCase(number, _plain(url), rules, code, rule or None)


def template_cases(table: str) -> Iterator[TemplateCase]:
    for number, line in _lines(table):
        outcome, rule, *columns = line.split("\t")
        slots, values = dict[str, str](), dict[str, str]()
        private, reason = (), None
        for column in columns:
            if column.startswith("private:"):
                private = tuple(column.removeprefix("private:").split(","))
            elif column == "because":
                reason = "Because."
            elif (found := re.match(r"([a-z0-9_]+):=", column)) is not None:
                values[found[1]] = _plain(column[found.end() :])
            else:
                name, _, slots[name] = column.partition("=")
        yield TemplateCase(number, _plain(rule), outcome, slots, values, private, reason)


def _lines(table: str) -> Iterator[tuple[int, str]]:
    content = Path(__file__).with_name(table).read_text(encoding="utf-8")
    for number, line in enumerate(content.split("\n"), 1):
        if line and not line.startswith("#"):
            yield number, line


def _plain(text: str) -> str:
    return _ESCAPE.sub(
        lambda found: (
            _LETTERS[found[4]] if found[4] else chr(int(found[1] or found[2] or found[3], 16))
        ),
        text,
    )
