"""Imports every service once and forks each from there: their processes share that memory.

It has no key, no thread, no loop and no connection, so that a fork copies none. Its parent speaks
to it by lines on its standard input and is told by lines on its standard output; it ends with its
parent.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn, cast

from deploy.local.bond import die_with
from deploy.local.serve import serve
from deploy.local.services import module_of, startable_services

Job = Callable[[], None]


class Zygote:
    """The process that forks; in a fork, `run` returns what that process is to do."""

    def __init__(self) -> None:
        self._running: dict[int, str] = {}
        self._lines = b""
        self._wakeup, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        # A child that ends makes a byte arrive, which the wait below ends with.
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, _only_wake)
        self._wake = wake

    def run(self) -> Job:
        """Start and report until the parent is gone; return in a fork with its work."""
        while True:
            readable, _, _ = select.select([sys.stdin.fileno(), self._wakeup], [], [])
            if self._wakeup in readable:
                os.read(self._wakeup, 1024)
                self._report_the_ended()
            if sys.stdin.fileno() in readable:
                read = os.read(sys.stdin.fileno(), 65536)
                if not read:
                    self._stop()
                *lines, self._lines = (self._lines + read).split(b"\n")
                for line in lines:
                    job = self._obey(json.loads(line))
                    if job is not None:
                        return job

    def _obey(self, order: dict[str, str]) -> Job | None:
        service = order["service"]
        if order["do"] == "stop":
            for pid, name in self._running.items():
                if name == service:
                    os.kill(pid, signal.SIGTERM)
            return None
        return self._fork(service, settings=Path(order["settings"]), log=Path(order["log"]))

    def _fork(self, service: str, *, settings: Path, log: Path) -> Job | None:
        refuse_what_a_fork_would_copy()
        parent = os.getpid()
        pid = os.fork()
        if pid:
            self._running[pid] = service
            _tell(event="started", service=service, pid=pid)
            return None
        die_with(parent, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._wakeup)
        os.close(self._wake)
        os.setsid()
        _write_to(log)
        return lambda: serve(service, settings)

    def _report_the_ended(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                code = os.waitstatus_to_exitcode(status)
                _tell(event="ended", service=self._running.pop(pid), pid=pid, code=code)

    def _stop(self) -> NoReturn:
        for pid in self._running:
            os.kill(pid, signal.SIGTERM)
        sys.exit()


def refuse_what_a_fork_would_copy() -> None:
    """Fail rather than fork a lock that another thread holds, or a connection or loop of ours."""
    _refuse_threads()
    _refuse_connections()


def _refuse_connections() -> None:
    opened = Path("/proc/self/fd")
    if not opened.exists():
        return
    for descriptor in opened.iterdir():
        # The folder's own is gone by now.
        with contextlib.suppress(FileNotFoundError):
            what = str(descriptor.readlink())
            if what.startswith(("socket:", "anon_inode:")):
                raise RuntimeError(f"Importing a service opened a connection or a loop ({what}).")


def _refuse_threads() -> None:
    tasks = Path("/proc/self/task")
    count = len(list(tasks.iterdir())) if tasks.exists() else threading.active_count()
    if count > 1:
        names = ", ".join(thread.name for thread in threading.enumerate())
        raise RuntimeError(f"Importing a service started threads ({count}: {names}).")


def _only_wake(_number: int, _frame: object) -> None:
    """Let the signal end a wait, and nothing else."""


def _tell(**event: str | int) -> None:
    os.write(sys.stdout.fileno(), json.dumps(event).encode() + b"\n")


def _write_to(log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(nothing)
    os.close(descriptor)
    # A line that was written is in the log even if the next instruction kills the process.
    cast("TextIOWrapper", sys.stdout).reconfigure(line_buffering=True)


def _main() -> None:
    # A Ctrl-C is for our parent, which stops the services in their order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for service in startable_services():
        importlib.import_module(module_of(service))
    # What is there now is never freed: let the collector not touch, and so not copy, its pages.
    gc.collect()
    gc.freeze()
    zygote = Zygote()
    _tell(event="imported")
    job = zygote.run()
    job()


if __name__ == "__main__":
    _main()
