"""What the README promises is there."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from deploy.cli import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\./keyturn (\S+)", README, flags=re.MULTILINE)


def test_it_gives_the_commands_that_other_tests_and_the_gate_run() -> None:
    """A command that only the README knows breaks unnoticed, and is the first that anyone runs."""
    assert COMMANDS == ["demo", "test", "up", "status", "down"]
    assert "check tests ./keyturn test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [one for one in COMMANDS if one != "test"])
def test_each_of_its_commands_exists(command: str) -> None:
    found = get_command(app)

    assert command in getattr(found, "commands", {})


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_each_of_its_links_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
