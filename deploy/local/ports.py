"""Ports on loopback: free ones are chosen once, then kept, and held while a stack runs."""

import random
import socket
import sys
from types import TracebackType
from typing import Self

import psutil

from deploy.local.problems import Conflict
from deploy.local.state import State

LOOPBACK = "127.0.0.1"
_RANGE = range(20_000, 32_000)
"""Below the ports that systems lend to outgoing connections, so a kept port stays free."""


def is_free(port: int) -> bool:
    """Tell whether a server could listen there now."""
    with socket.socket() as probe:
        # As servers do: what only lingers after a close is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


class Ports:
    """Keeps the ports of one stack, and holds them until it is closed.

    A held port is bound by a socket that does not listen. Servers, who bind with SO_REUSEADDR, may
    listen there beside it; nobody else's choice falls on it, not even while what listened there is
    being started again.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._holding: list[socket.socket] = []

    def keep(self, name: str, *, fresh: bool = False) -> int:
        """Return the port of that name; choose one when none is kept, or the kept one is taken.

        A taken one is given up only when `fresh` is set: programs may have been told the old one.
        """
        kept = self._state.ports.get(name)
        if kept is not None and (self._hold(kept) or is_free(kept)):
            return kept
        if kept is not None and not fresh:
            raise Conflict(
                f"Port {kept}, which {name} had before, is taken{_by_whom(kept)}: stop that "
                "program, or choose new ports with `keyturn up --fresh-ports`."
            )
        chosen = self._free_port()
        self._state.ports[name] = chosen
        return chosen

    def close(self) -> None:
        for holder in self._holding:
            holder.close()
        self._holding.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _free_port(self) -> int:
        # By chance, not for secrecy: stacks that start together seldom try the same one.
        for port in random.sample(_RANGE, len(_RANGE)):
            if port not in self._state.ports.values() and self._hold(port):
                return port
        raise Conflict(
            f"No port between {_RANGE.start} and {_RANGE.stop - 1} is free on {LOOPBACK}: "
            "stop a program that listens there."
        )

    def _hold(self, port: int) -> bool:
        holder = socket.socket()
        try:
            # Alone at first, which refuses a port that anybody holds, listening or not.
            holder.bind((LOOPBACK, port))
        except OSError:
            holder.close()
            return False
        if sys.platform == "linux":
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._holding.append(holder)
        else:
            # Elsewhere a server could not bind beside it.
            holder.close()
        return True


def _by_whom(port: int) -> str:
    try:
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.pid and one.laddr[1:] == (port,):
                return f" by {psutil.Process(one.pid).name()} (process {one.pid})"
    except psutil.Error:
        # Only the name is missing: the sentence stands without it.
        return " by another program"
    return " by another program"
