"""The tutorial, command by command, in a home that is as empty as a reader's."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.jars import cache_folder
from tests.forking import write_command

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", TUTORIAL.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def home() -> Iterator[Path]:
    """Give a home with the project in it, as its launcher leaves it once all is installed."""
    # Not pytest's own folder: its path is long, and sockets need a short one.
    with tempfile.TemporaryDirectory(prefix="keyturn-home-") as folder:
        project = Path(folder, "keyturn")
        project.mkdir()
        (project / "docs").symlink_to(ROOT / "docs")
        write_command(project / "keyturn", python=True)
        yield Path(folder)


def test_the_tutorial_is_true(home: Path) -> None:
    commands = blocks()
    assert len(commands) > 10
    script = "\n".join(["set -eu", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT", *commands])
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("KEYTURN_")
    }
    try:
        run = subprocess.run(
            ["bash", "-m", "-c", script],
            cwd=home,
            env=environment | {"HOME": str(home), "KEYTURN_CACHE": str(cache_folder())},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    finally:
        down = [
            str(home / "keyturn" / "keyturn"),
            "down",
            "--data-dir",
            str(home / "turning/stack"),
        ]
        subprocess.run(down, capture_output=True, check=False)
    said = text_of(home / "turning" / "engine.log")
    letters = text_of(home / "turning" / "letters.log")
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}\n{said}\n{letters}"
    assert run.stderr.count("signed by a key that you have pinned") == 2
    check_rotation(run, said)
    check_sharing(run, said)
    check_extension(run, letters)
    for secret in ("first-password", "second-password"):
        assert secret not in run.stdout + run.stderr + said + letters


def check_rotation(run: subprocess.CompletedProcess[str], said: str) -> None:
    assert "Outcome    applied" in run.stdout
    assert "No workflow is behind." in run.stderr
    assert "sent with version 1" in said
    assert "sent with version 2" in said
    assert "Error" not in said


def check_sharing(run: subprocess.CompletedProcess[str], said: str) -> None:
    assert "Everyone in the brand may use mail." in run.stdout
    assert "Nobody gave dave access to mail: ask one of its owners." in run.stdout
    assert "may not use account mail (no_access)." in said
    assert re.search(r"^ada +Ada +owner +handed_over +keyturn ", run.stdout, re.MULTILINE)


def check_extension(run: subprocess.CompletedProcess[str], said: str) -> None:
    """Check what the shell does not: a line that begins with `!` never ends it."""
    found, _, after = run.stdout.partition("Digest: ")
    assert re.search(r"^loud-mail .* Preview ", found, re.MULTILINE)
    assert "may be reached by the rule `pictures.example.com`" in after
    assert "`elsewhere.example.com` is not on the list" in after
    assert re.search(r"^localhost:[0-9]+ +account ", after, re.MULTILINE)
    assert re.search(r"complete: 1 accounts? deleted, 1 tasks? suspended", after)
    assert re.search(r"^engine-2 +invitations .* suspended ", after, re.MULTILINE)
    assert re.search(r"^Deletion +yes$", after, re.MULTILINE)
    assert "loud-mail is not installed in your brand." in after
    assert "sent with version 1" in said
    assert "may not use account letters (account_deleted)." in said
    assert "Error" not in said


def text_of(file: Path) -> str:
    return file.read_text() if file.exists() else ""
