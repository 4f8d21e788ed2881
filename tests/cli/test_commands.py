"""The command line as a whole: its groups, its help, and how quickly it is there."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.cli.groups import GROUPS
from tests.cli.running import run

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", GROUPS)
def test_every_group_explains_itself(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0, result.output
    assert "Usage: root" in result.output


def test_a_command_that_does_not_exist_is_a_wrong_usage() -> None:
    result = run("accounts", "rotate")
    assert result.exit_code == 2
    assert "No such command" in result.output


def test_asking_what_there_is_imports_nothing_that_talks_to_anybody() -> None:
    program = (
        "import sys\n"
        "from tests.cli.running import run\n"
        "assert run('--help').exit_code == 0\n"
        "print(sorted({'aiokafka', 'httpx', 'pydantic', 'joserfc'} & {*sys.modules}))\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout == "[]\n"
