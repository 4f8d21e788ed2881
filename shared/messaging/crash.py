"""Named points at which a test has the process killed, exactly there."""

import functools
import os
import signal

_VARIABLE = "KEYTURN_CRASH"


class _Armed:
    """One point of `KEYTURN_CRASH=outbox.after_send:3`, and how often it may still be passed."""

    def __init__(self, text: str) -> None:
        self.name, _, times = text.partition(":")
        self.left = int(times or 1)


@functools.cache
def _armed() -> _Armed | None:
    return _Armed(os.environ[_VARIABLE]) if _VARIABLE in os.environ else None


def crash_point(name: str) -> None:
    """Kill this process with SIGKILL where its environment names this point, at the right pass."""
    armed = _armed()
    if armed is None or armed.name != name:
        return
    armed.left -= 1
    if armed.left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
