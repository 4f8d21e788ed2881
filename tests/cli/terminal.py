"""A terminal that a program is run on, with a person who answers."""

import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_on_terminal(program: str, answers: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a program, answer its questions, and return how it ended and what was on the screen."""
    left = dict(answers or {})
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    screen = b""
    try:
        while part := os.read(ours, 4096):
            screen += part
            for question in [one for one in left if screen.rstrip().endswith(one.encode())]:
                os.write(ours, f"{left.pop(question)}\n".encode())
    except OSError:  # how a pseudo-terminal says that the other side has gone
        pass
    finally:
        os.close(ours)
    return child.wait(), screen.decode(errors="replace")
