"""Ends the demo's stack when the demo itself was killed and could not: nothing is left running."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from deploy.demo.lifeline import until_ended
from deploy.local.folder import DataFolder
from deploy.local.forks import environment
from deploy.local.up import bring_down

_PROJECT = Path(__file__).parents[2]


@contextmanager
def guarded(data: DataFolder) -> Generator[None]:
    """Guard the stack of this folder as long as the block lasts, by a process of its own."""
    guard = subprocess.Popen(
        [sys.executable, "-P", "-m", "deploy.demo.guard", str(os.getpid()), str(data.root)],
        env=environment(_PROJECT),
        stdin=subprocess.DEVNULL,
        # Whatever ends the demo must not end this one with it.
        start_new_session=True,
    )
    # Where the block raises, even a second Ctrl-C, the guard stays until this process has ended.
    yield
    guard.terminate()
    guard.wait()


def main() -> None:
    """`python -m deploy.demo.guard PROCESS FOLDER`."""
    process_id, folder = sys.argv[1:]
    asyncio.run(until_ended(int(process_id)))
    bring_down(DataFolder(Path(folder)))


if __name__ == "__main__":
    main()
