"""`./keyturn` on a machine that has not seen the project, or lacks something."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("sh", "cat", "cksum", "dirname", "readlink", "mkdir", "rm", "mv", "sleep")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it is a POSIX shell's")


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """Return a copy of what git would give, without anything that was installed."""
    copy = tmp_path / "keyturn"
    not_cloned = shutil.ignore_patterns(".*", "__pycache__", "tests", "docs")
    shutil.copytree(ROOT, copy, ignore=not_cloned)
    yield copy
    shutil.rmtree(copy)


def launch(clone: Path, *words: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [str(clone / "keyturn"), *words],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def sentences(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("keyturn: ")]


def test_without_python_it_says_what_to_install(clone: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in NEEDED:
        (tools / name).symlink_to(str(shutil.which(name)))
    with launch(clone, "up", PATH=str(tools)) as run:
        _, said = run.communicate(timeout=60)
    assert run.returncode == 1
    assert len(said.splitlines()) == 1
    assert "Python 3.11 or later with pip is needed" in said


def test_without_a_registry_it_says_what_to_check(clone: Path) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    with launch(clone, "up", **nowhere, PIP_FIND_LINKS="", PIP_EXTRA_INDEX_URL="") as run:
        _, said = run.communicate(timeout=120)
    assert run.returncode == 1
    assert "name a mirror of PyPI in PIP_INDEX_URL" in sentences(said)[-1]


def test_two_first_starts_at_once_share_one_installation(clone: Path) -> None:
    for tool in (ROOT / ".keyturn" / "tool").glob("uv-*"):
        # What the first start would fetch; that it does is seen wherever the tests begin.
        shutil.copytree(tool, clone / ".keyturn" / "tool" / tool.name)
    with launch(clone, "--help") as one, launch(clone, "--help") as other:
        said = [run.communicate(timeout=600) for run in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), said
    assert all("Turn the key once" in out for out, _ in said)
    waited = [sentence for _, error in said for sentence in sentences(error)]
    assert len([sentence for sentence in waited if "installing the packages" in sentence]) == 1

    with launch(clone, "--help") as later:
        assert later.communicate(timeout=60)[1] == ""
