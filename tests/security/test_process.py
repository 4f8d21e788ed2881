"""A process that may hold a secret: no core file, and nobody else looks into its memory."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SCRIPT = """
import ctypes, resource
from shared.security.process import close_to_others

libc = ctypes.CDLL(None)
before = libc.prctl(3, 0, 0, 0, 0)
close_to_others()
print(before, libc.prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_DUMPABLE is Linux's")
def test_it_leaves_no_core_and_cannot_be_looked_into() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert ended.stdout == "1 0 (0, 0)\n"
