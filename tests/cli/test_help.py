"""Every command shows how it is used, by a line that can be typed."""

import pytest
from typer.core import TyperCommand

from tests.cli.whole import commands, parse

COMMANDS = commands()


@pytest.mark.parametrize("name", COMMANDS)
def test_its_help_has_an_example_that_is_one(name: str) -> None:
    examples = examples_of(COMMANDS[name])
    assert any(f"{one} ".startswith(f"keyturn {name} ") for one in examples), name
    for one in examples:
        parse(one)


def test_a_line_that_is_no_command_is_noticed() -> None:
    parse("keyturn catalog search salesfroce")
    with pytest.raises(AssertionError, match="no such command"):
        parse("keyturn catalog find salesfroce")
    with pytest.raises(Exception, match="No such option"):
        parse("keyturn catalog search --colour red")


def examples_of(command: TyperCommand) -> list[str]:
    lines = [line.strip() for line in (command.help or "").splitlines()]
    return [line for line in lines if line.startswith("keyturn ")]
