"""Starts a program that cannot outlive us, and ends it."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil

Identity = Literal["STAY", "NAMESPACE", "USER"]
"""Who it runs as: us, us in a user namespace where we are not root, or nobody."""

_ENTER = Path(__file__).with_name("enter.py")
_BIG_LOG = 8 * 1024 * 1024
_TAIL_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program and how it is to live. Its environment is given whole: nothing is inherited."""

    words: tuple[str, ...]
    log: Path
    """Where its standard streams go."""
    own_log: Path | None = None
    """Where it writes by itself, if it does."""
    environment: dict[str, str] = field(default_factory=dict[str, str])
    identity: Identity = "STAY"
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within: float = 10.0
    death_signal: signal.Signals = signal.SIGKILL
    """What it gets when we die without having stopped it."""


class Child:
    """A program of ours that runs."""

    def __init__(self, command: Command) -> None:
        self.command = command
        _start_log_afresh(command.log)
        # The log is opened for appending: what we say and what it says may both end up there.
        log = os.open(command.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            self._process = subprocess.Popen(
                entered(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(command),
                # A Ctrl-C in the terminal is for us; we stop our children in their order.
                start_new_session=True,
            )
        finally:
            os.close(log)
        self.pid = self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Its exit code, minus the signal if one killed it; None while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(self.command.stop_signal)

    def stop(self) -> int:
        """Stop it and wait; kill it when it takes longer than it may."""
        self.ask_to_stop()
        return self.wait(self.command.stop_within)

    def wait(self, within: float) -> int:
        """Wait until it ends, kill it when that takes longer, and return its exit code."""
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        self._process.kill()
        return self._process.wait()


def run_to_end(command: Command, *, within: float) -> int:
    """Run a program that ends by itself, and return its exit code."""
    child = Child(command)
    return child.wait(within)


def entered(command: Command) -> list[str]:
    return [
        sys.executable,
        "-I",
        "-S",
        str(_ENTER),
        str(os.getpid()),
        str(int(command.death_signal)),
        command.identity,
        *command.words,
    ]


def started_at(pid: int) -> float | None:
    """When a process began, which tells it from a later one with the same number; None if gone."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def last_line(log: Path) -> str:
    """Return the last line that is not empty, for a sentence about why something ended."""
    return next((line for line in reversed(_tail(log)) if line), "")


def last_complaint(log: Path) -> str:
    """Return the last line that is an error by its own account; else the very last."""
    lines = [line for line in _tail(log) if " ERROR " in line or " FATAL " in line]
    return lines[-1] if lines else last_line(log)


def _tail(log: Path) -> list[str]:
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        return [line.strip() for line in file.read().decode(errors="replace").split("\n")]


def _environment(command: Command) -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C", **command.environment}


def _start_log_afresh(log: Path) -> None:
    if log.exists() and log.stat().st_size > _BIG_LOG:
        log.replace(log.with_suffix(".old.log"))
