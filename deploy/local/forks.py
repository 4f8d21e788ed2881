"""The supervisor's side of the process that forks the services."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from deploy.local.children import Command, entered
from deploy.local.external import VARIABLES

NAME = "zygote"


@dataclass(frozen=True, slots=True)
class Imported:
    """It has imported every service, and can fork."""


@dataclass(frozen=True, slots=True)
class ServiceStarted:
    service: str
    pid: int


@dataclass(frozen=True, slots=True)
class ServiceEnded:
    service: str
    pid: int
    code: int


Event = Imported | ServiceStarted | ServiceEnded


class Forks:
    """Runs until `close`; ends with us."""

    def __init__(self, log: Path, root: Path) -> None:
        words = (sys.executable, "-P", "-m", "deploy.local.zygote")
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            self._process = subprocess.Popen(
                entered(Command(words=words, log=log)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=descriptor,
                cwd=root,
                env=environment(root),
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        self.pid = self._process.pid
        self._orders = cast("IO[bytes]", self._process.stdin)
        self._events = cast("IO[bytes]", self._process.stdout)
        os.set_blocking(self._events.fileno(), False)
        self._lines = b""

    def fileno(self) -> int:
        """Where events arrive, for a wait."""
        return self._events.fileno()

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def start(self, service: str, *, settings: Path, log: Path) -> None:
        self._order(do="start", service=service, settings=str(settings), log=str(log))

    def stop(self, service: str) -> None:
        self._order(do="stop", service=service)

    def events(self) -> list[Event]:
        """Return what has happened since the last call, without waiting."""
        try:
            read = os.read(self._events.fileno(), 65536)
        except BlockingIOError:
            return []
        *lines, self._lines = (self._lines + read).split(b"\n")
        return [_event(json.loads(line)) for line in lines]

    def close(self, within: float = 5.0) -> None:
        """Let it end, and what it forked."""
        self._orders.close()
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._events.close()

    def _order(self, **order: str) -> None:
        try:
            self._orders.write(json.dumps(order).encode() + b"\n")
            self._orders.flush()
        except BrokenPipeError:
            # It has just ended; its exit code will tell.
            return


def environment(root: Path) -> dict[str, str]:
    """Return ours for a Python process of ours, without what holds a password."""
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return {"PYTHONPATH": str(root), **kept}


def _event(event: dict[str, Any]) -> Event:
    match event["event"]:
        case "imported":
            return Imported()
        case "started":
            return ServiceStarted(event["service"], event["pid"])
        case _:
            return ServiceEnded(event["service"], event["pid"], event["code"])
