"""What every part of the stack offers to whoever runs it."""

import time
from collections.abc import Callable
from typing import Protocol

from deploy.local.children import Child, Command, last_complaint
from deploy.local.problems import StackProblem, TimedOut

Say = Callable[[str], None]
"""Tells a person one sentence."""

_PAUSE = 0.02


class Part(Protocol):
    """Kafka, PostgreSQL or Redis, as a program of ours."""

    @property
    def name(self) -> str: ...

    def prepare(self) -> None:
        """Do whatever must be done before each start: settings, and at the first one its files."""
        ...

    def command(self) -> Command: ...

    def is_ready(self) -> bool:
        """Ask it once whether it serves, waiting no longer than a moment."""
        ...


def wait_ready(part: Part, child: Child, *, within: float) -> None:
    deadline = time.monotonic() + within
    while not part.is_ready():
        if (code := child.exit_code) is not None:
            raise ended_early(part.name, code, child.command)
        if time.monotonic() > deadline:
            raise TimedOut(
                f"{part.name} was not ready within {within:.0f} s: see {child.command.log}."
            )
        time.sleep(_PAUSE)


def ended_early(name: str, code: int, command: Command) -> StackProblem:
    log = command.own_log or command.log
    said = last_complaint(log)
    return StackProblem(
        f"{name} ended while it started ({how(code)}); the last it said, in {log}: {said}"
    )


def how(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
