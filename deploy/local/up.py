"""Starts a supervisor in the background and follows it until all is ready; and ends one."""

import os
import signal
import subprocess
import sys
import time

from deploy.local.children import last_line
from deploy.local.folder import DataFolder
from deploy.local.lock import holder_of
from deploy.local.parts import Say
from deploy.local.problems import Conflict, StackProblem, TimedOut
from deploy.local.status import Status, last_status, read_status
from deploy.local.supervisor import ROOT

SUPERVISOR = "supervisor"
_PAUSE = 0.03
_ENOUGH_RESTARTS = 3
_STOP_SECONDS = 90.0


class Partly(StackProblem):
    """The parts run, and not every service does."""

    exit_code = 6


def bring_up(data: DataFolder, say: Say, *, fresh_ports: bool, within: float) -> Status:
    """Return the status when all is ready; what runs already is left as it is."""
    follower = _Follower(data, say)
    started = None
    if read_status(data) is None:
        started = _start(data, fresh_ports=fresh_ports)
    else:
        say(f"{data.root} is in use by a supervisor that runs already.")
    deadline = time.monotonic() + within
    while True:
        status = read_status(data)
        if status is not None:
            follower.tell(status)
            if status.state == "ready":
                return status
            _refuse_what_cannot_start(data, status)
        if started is not None and started.poll() is not None:
            # Somebody else may have been quicker; then theirs is followed.
            if started.returncode != Conflict.exit_code or holder_of(data) is None:
                raise _ended(data, started)
            started = None
        if time.monotonic() > deadline:
            raise TimedOut(
                f"Not ready within {within:.0f} s: it goes on in the background, and "
                "`keyturn status` tells how far it is."
            )
        time.sleep(_PAUSE)


def bring_down(data: DataFolder) -> bool:
    """Stop what runs there, in its order, and wait for the end; False if nothing ran."""
    pid = holder_of(data)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while holder_of(data) == pid:
        if time.monotonic() > deadline:
            raise TimedOut(f"The supervisor (process {pid}) did not end: see `keyturn logs`.")
        time.sleep(_PAUSE)
    return True


def _start(data: DataFolder, *, fresh_ports: bool) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-P", "-m", "deploy.local.supervisor", str(data.root)]
    if fresh_ports:
        words.append("--fresh-ports")
    log = os.open(data.log_of(SUPERVISOR), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=data.root,
            env={"PYTHONPATH": str(ROOT), **os.environ},
            # It outlives this command and its terminal.
            start_new_session=True,
        )
    finally:
        os.close(log)


class _Follower:
    """Repeats what a supervisor says, each sentence once."""

    def __init__(self, data: DataFolder, say: Say) -> None:
        self._data = data
        self._say = say
        self._told = 0

    def tell(self, status: Status) -> None:
        for sentence in status.said[self._told :]:
            self._say(sentence)
        self._told = len(status.said)


def _refuse_what_cannot_start(data: DataFolder, status: Status) -> None:
    failing = {
        name: part
        for name, part in status.parts.items()
        if part.state != "ready" and part.restarts >= _ENOUGH_RESTARTS
    }
    for name, part in failing.items():
        log = data.log_of(name)
        raise Partly(
            f"{name} ends each time it is started ({part.last_exit}); the last it said, in {log}: "
            f"{last_line(log)}"
        )


def _ended(data: DataFolder, started: "subprocess.Popen[bytes]") -> StackProblem:
    status = last_status(data)
    if status is not None and status.supervisor == started.pid and status.problem:
        problem = StackProblem(status.problem)
        problem.exit_code = status.exit_code
        return problem
    log = data.log_of(SUPERVISOR)
    problem = StackProblem(last_line(log) or f"The supervisor ended without a word: see {log}.")
    problem.exit_code = max(started.returncode, 1)
    return problem
