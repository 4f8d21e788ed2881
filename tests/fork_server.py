"""Imports everything once, and forks `python -m …` from there: tests start some hundred of them.

It obeys a socket on which each order comes with four descriptors: what is to be the standard input,
output and error of the process, and where its pid is told, and its exit code when it has ended.
Who connects to the other socket (`fork_client.py`) gives one order with three, and is told there.
What it forked ends with it, and it ends when the first socket is closed.
"""

import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import deploy
import shared.cli
from deploy.local.bond import die_with
from deploy.local.services import SERVICES, module_of

_LEFT_OUT = ("deploy.bench", "deploy.__main__", "deploy.local.enter")
"""Two of them run as soon as they are imported; the first is needed by few."""


@dataclass(frozen=True, slots=True)
class _Order:
    words: list[str]
    folder: str
    environment: dict[str, str]
    descriptors: list[int]


def _import_everything() -> None:
    for service in SERVICES:
        importlib.import_module(module_of(service))
    for package in (deploy, shared.cli):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.startswith(_LEFT_OUT):
                importlib.import_module(module.name)


def _serve(orders: socket.socket, door: socket.socket) -> Callable[[], None]:
    """Fork and report until nobody gives orders; in a fork, return what it is to do."""
    woken, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, _only_wake)
    running: dict[int, socket.socket] = {}
    while True:
        readable, _, _ = select.select([orders, door, woken], [], [])
        if woken in readable:
            os.read(woken, 1024)
            _report_the_ended(running)
        taken = _take(orders, door, readable)
        if taken is None:
            continue
        order, report = taken
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for one in (woken, wake):
                os.close(one)
            for one in (orders, door, report, *running.values()):
                one.close()
            return lambda: _become(order, parent)
        for one in order.descriptors:
            os.close(one)
        running[pid] = report
        _tell(report, pid=pid)


def _take(
    orders: socket.socket, door: socket.socket, readable: list[socket.socket | int]
) -> tuple[_Order, socket.socket] | None:
    """Return an order, and where its process is reported; end where no more will come."""
    if orders in readable:
        order = _read(orders)
        return (order, socket.socket(fileno=order.descriptors.pop())) if order else sys.exit()
    if door not in readable:
        return None
    report, _ = door.accept()
    order = _read(report)
    return (order, report) if order else None


def _only_wake(_number: int, _frame: object) -> None:
    """Let the signal end a wait, and nothing else."""


def _read(orders: socket.socket) -> _Order | None:
    read, descriptors, _, _ = socket.recv_fds(orders, 1 << 16, 4)
    while read and not read.endswith(b"\n"):
        read += orders.recv(1 << 16)
    return _Order(**json.loads(read), descriptors=list(descriptors)) if read else None


def _report_the_ended(running: dict[int, socket.socket]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with running.pop(pid) as report:
            _tell(report, code=os.waitstatus_to_exitcode(status))


def _tell(report: socket.socket, **what: Any) -> None:
    try:
        report.sendall(json.dumps(what).encode() + b"\n")
    except BrokenPipeError:
        return


def _become(order: _Order, parent: int) -> None:
    die_with(parent, signal.SIGKILL)
    for number, descriptor in enumerate(order.descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(order.environment)
    os.chdir(order.folder)
    module, *words = order.words
    sys.argv[1:] = words
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    orders, door = (socket.socket(fileno=int(one)) for one in sys.argv[1:])
    _import_everything()
    assert threading.active_count() == 1, "A fork copies no thread, and what it held for ever."
    # What is there now is never freed: let the collector not touch, and so not copy, its pages.
    gc.collect()
    gc.freeze()
    _serve(orders, door)()


if __name__ == "__main__":
    _main()
