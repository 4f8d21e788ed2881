"""The tutorial, command by command, in a home that is as empty as a reader's."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.jars import cache_folder

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
        launcher = project / "keyturn"
        launcher.write_text(
            f"#!/bin/sh\nexport PYTHONPATH={ROOT}\n"
            f'if [ "$1" = python ]; then shift; exec {sys.executable} "$@"; fi\n'
            f'exec {sys.executable} -P -m deploy "$@"\n'
        )
        launcher.chmod(0o755)
        yield Path(folder)


def test_the_tutorial_is_true(home: Path) -> None:
    commands = blocks()
    assert len(commands) > 10
    script = "\n".join(["set -eu", 'trap "kill $(jobs -p) 2>/dev/null || true" EXIT', *commands])
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
    log = home / "turning" / "engine.log"
    said = log.read_text() if log.exists() else ""
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}\n{said}"
    assert "Outcome    applied" in run.stdout
    assert "signed by a key that you have pinned" in run.stderr
    assert "No workflow is behind." in run.stderr
    assert "sent with version 1" in said
    assert "sent with version 2" in said
    assert "Error" not in said
    for secret in ("first-password", "second-password"):
        assert secret not in run.stdout + run.stderr + said
