"""Remembers which programs a stack started, to end those that outlived a killed supervisor."""

import signal
import time
from pathlib import Path

import psutil
from pydantic import BaseModel, TypeAdapter, ValidationError

from deploy.local.children import Child, started_at
from deploy.local.folder import DataFolder, write_private
from deploy.local.parts import Say

_PATIENCE_SECONDS = 10.0
_PAUSE = 0.02


class _Entry(BaseModel):
    pid: int
    started: float
    signal: int


_Entries = TypeAdapter(dict[str, _Entry])


class Roster:
    """The programs of one stack that run, kept in a file."""

    def __init__(self, data: DataFolder) -> None:
        self._file = data.root / "children.json"
        self._entries = _read(self._file)

    def stop_leftovers(self, say: Say) -> None:
        """End what an earlier run left behind, so that nobody else writes to our files."""
        left = {name: one for name, one in self._entries.items() if _lives(one)}
        if left:
            say(f"The last run was killed; what it left is stopped: {', '.join(sorted(left))}.")
        elif self._entries:
            say("The last run was killed; nothing of it runs any more.")
        for one in left.values():
            psutil.Process(one.pid).send_signal(one.signal)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for one in left.values():
            while _lives(one):
                if time.monotonic() > deadline:
                    psutil.Process(one.pid).send_signal(signal.SIGKILL)
                time.sleep(_PAUSE)
        self._entries = {}
        self._write()

    def started(self, name: str, child: Child) -> None:
        began = started_at(child.pid)
        if began is not None:
            death_signal = int(child.command.death_signal)
            self._entries[name] = _Entry(pid=child.pid, started=began, signal=death_signal)
            self._write()

    def ended(self, name: str) -> None:
        if self._entries.pop(name, None):
            self._write()

    def _write(self) -> None:
        write_private(self._file, _Entries.dump_json(self._entries).decode())


def _read(file: Path) -> dict[str, _Entry]:
    try:
        return _Entries.validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return {}


def _lives(entry: _Entry) -> bool:
    began = started_at(entry.pid)
    return began is not None and abs(began - entry.started) < 1
