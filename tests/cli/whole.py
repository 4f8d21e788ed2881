"""The whole command line as people have it: every command of it, and whether a line is one."""

import shlex
from collections.abc import Iterator

import typer
from typer.core import TyperCommand, TyperGroup

from deploy.cli import app
from shared.cli.groups import GROUPS, load


def commands() -> dict[str, TyperCommand]:
    """Return every command by its words, as in `catalog search`."""
    return dict(_below("", typer.main.get_command(app)))


def parse(line: str) -> None:
    """Read `keyturn …` as the command line does, without doing it; raises what is wrong with it."""
    program, *words = shlex.split(line)
    assert program == "keyturn", line
    known = commands()
    name = next((found for length in (2, 1) if (found := " ".join(words[:length])) in known), None)
    assert name is not None, f"There is no such command: {line}"
    known[name].make_context(name, words[len(name.split()) :])


def _below(name: str, found: object) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(found, TyperGroup):
        for word, one in found.commands.items():
            is_unloaded = not name and word in GROUPS
            yield from _below(f"{name} {word}".strip(), load(word) if is_unloaded else one)
    else:
        assert isinstance(found, TyperCommand)
        yield name, found
