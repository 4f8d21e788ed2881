"""Ports on loopback: free ones are chosen once and then kept."""

import random
import socket

import psutil

from deploy.local.problems import Conflict
from deploy.local.state import State

LOOPBACK = "127.0.0.1"
_RANGE = range(20_000, 32_000)
"""Below the ports that systems lend to outgoing connections, so a kept port stays free."""


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: what only lingers after a close is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def keep_port(state: State, name: str, *, fresh: bool = False) -> int:
    """Return the port of that name; choose one when none is kept, or the kept one is taken.

    A taken one is given up only when `fresh` is set: programs may have been told the old one.
    """
    kept = state.ports.get(name)
    if kept is not None and is_free(kept):
        return kept
    if kept is not None and not fresh:
        raise Conflict(
            f"Port {kept}, which {name} had before, is taken{_by_whom(kept)}: stop that program, "
            "or choose new ports with `keyturn up --fresh-ports`."
        )
    chosen = _free_port(set(state.ports.values()))
    state.ports[name] = chosen
    return chosen


def _free_port(taken: set[int]) -> int:
    # Not for secrecy: two stacks that start together should seldom try the same one.
    for port in random.sample(_RANGE, len(_RANGE)):
        if port not in taken and is_free(port):
            return port
    raise Conflict(
        f"No port between {_RANGE.start} and {_RANGE.stop - 1} is free on {LOOPBACK}: "
        "stop a program that listens there."
    )


def _by_whom(port: int) -> str:
    try:
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.pid and one.laddr[1:] == (port,):
                return f" by {psutil.Process(one.pid).name()} (process {one.pid})"
    except psutil.Error:
        # Only the name is missing: the sentence stands without it.
        return " by another program"
    return " by another program"
