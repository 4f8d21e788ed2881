"""Starts processes of ours that need not import anything: `python -m …`, forked from one that has.

What runs is the same program with the same arguments and environment.
"""

import atexit
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

ROOT = Path(__file__).parents[1]


class Forked:
    """A process, to be held as one of `subprocess.Popen` is."""

    def __init__(self, report: socket.socket) -> None:
        self._report = report
        self._text = b""
        self.returncode: int | None = None
        self.pid: int = self._told(None)["pid"]

    def poll(self) -> int | None:
        """Return its exit code, negative where a signal ended it; None while it runs."""
        if self.returncode is None:
            self._look(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code when it has ended; `subprocess.TimeoutExpired` where it has not."""
        if self.returncode is None:
            self._look(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _look(self, seconds: float | None) -> None:
        try:
            self.returncode = self._told(seconds)["code"]
        except (TimeoutError, BlockingIOError):
            return
        self._report.close()

    def _told(self, seconds: float | None) -> dict[str, int]:
        end = None if seconds is None else time.monotonic() + seconds
        while b"\n" not in self._text:
            self._report.settimeout(None if end is None else max(0.0, end - time.monotonic()))
            read = self._report.recv(4096)
            if not read:
                raise RuntimeError("The process that forks has ended; standard error may say why.")
            self._text += read
        line, self._text = self._text.split(b"\n", 1)
        return json.loads(line)


def fork(
    words: Sequence[str],
    *,
    environment: Mapping[str, str],
    output: IO[bytes],
    errors: IO[bytes] | None = None,
    given: IO[bytes] | None = None,
    folder: Path = ROOT,
) -> Forked:
    """Start `python -m` with these words; where no `errors` are named they go to the output."""
    ours, theirs = socket.socketpair()
    order = {"words": list(words), "folder": str(folder), "environment": dict(environment)}
    with theirs, Path(os.devnull).open("rb") as nothing:
        descriptors = [
            (given or nothing).fileno(),
            output.fileno(),
            (errors or output).fileno(),
            theirs.fileno(),
        ]
        text = json.dumps(order).encode() + b"\n"
        server = _server().orders
        sent = socket.send_fds(server, [text], descriptors)
        server.sendall(text[sent:])
    return Forked(ours)


def run(
    words: Sequence[str],
    *,
    environment: Mapping[str, str],
    given: str = "",
    timeout: float = 180.0,
    together: bool = False,
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m` with these words to its end; with `together` its errors are in its output."""
    with (
        tempfile.TemporaryFile() as input_,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
    ):
        input_.write(given.encode())
        input_.seek(0)
        process = fork(
            words,
            environment=environment,
            output=output,
            errors=None if together else errors,
            given=input_,
        )
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(
            list(words), code, output.read().decode(), errors.read().decode()
        )


def write_command(path: Path, *, python: bool = False) -> None:
    """Write what a shell calls as `keyturn`; with `python` it runs programs too, as ours does."""
    client = ROOT / "tests" / "fork_client.py"
    lines = ["#!/bin/sh"]
    if python:
        run_python = f'shift; export PYTHONPATH={ROOT}; exec {sys.executable} "$@"'
        lines.append(f'if [ "$1" = python ]; then {run_python}; fi')
    lines.append(f'exec {sys.executable} -I -S {client} {_server().door} deploy "$@"')
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.chmod(0o755)


class _Server(NamedTuple):
    orders: socket.socket
    door: Path
    """Where others connect: a shell's commands."""


@functools.cache
def _server() -> _Server:
    """Start the process that forks, once in each process of tests; it ends with this one."""
    folder = tempfile.mkdtemp(prefix="keyturn-forks-")
    ours, theirs = socket.socketpair()
    door = socket.socket(socket.AF_UNIX)
    door.bind(str(Path(folder, "door")))
    door.listen(64)
    with theirs, door:
        descriptors = [theirs.fileno(), door.fileno()]
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.fork_server", *map(str, descriptors)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=descriptors,
        )

    def end() -> None:
        ours.close()
        process.wait(30)
        shutil.rmtree(folder)

    atexit.register(end)
    return _Server(ours, Path(folder, "door"))
