"""Becomes another program, one that dies with whoever started it and, if asked, is not root.

Runs as a script of its own, before anything is imported, so that no code of ours runs between a
fork and an exec: `python -I -S enter.py PARENT SIGNAL STAY|NAMESPACE|USER program argument…`
"""

import ctypes
import os
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_INSIDE = 1000
"""Who root appears to be inside a user namespace of its own; any number but 0 will do."""

_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522
_NOBODY = 65534


class _Refused(Exception):  # noqa: N818  the kernel's answer
    """The kernel does not let us."""


def _call(libc: ctypes.CDLL, name: str, *arguments: object) -> None:
    if getattr(libc, name)(*arguments) != 0:
        raise _Refused(f"{name}: {os.strerror(ctypes.get_errno())}")


def _enter_namespace(libc: ctypes.CDLL) -> None:
    uid, gid = os.getuid(), os.getgid()
    _call(libc, "unshare", _CLONE_NEWUSER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_INSIDE} {uid} 1"),
        ("gid_map", f"{_INSIDE} {gid} 1"),
    ):
        Path("/proc/self", name).write_text(text, encoding="ascii")


def _become_nobody(libc: ctypes.CDLL) -> None:
    """Give up root, but keep reaching files: their folders stay closed to everybody else."""
    _call(libc, "prctl", _PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(_NOBODY)
    os.setuid(_NOBODY)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    kept = 1 << _CAP_DAC_OVERRIDE
    # Twice effective, permitted, inheritable: for the lower and the upper 32 capabilities.
    sets = (ctypes.c_uint32 * 6)(kept, kept, kept, 0, 0, 0)
    _call(libc, "capset", header, sets)
    _call(libc, "prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


def _die_with(libc: ctypes.CDLL, parent: int, death_signal: int) -> None:
    _call(libc, "prctl", _PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        raise _Refused("who started it is gone")


def _main() -> None:
    parent, death_signal, identity, *command = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if identity == "NAMESPACE":
            _enter_namespace(libc)
        elif identity == "USER":
            _become_nobody(libc)
        # After the change of identity, which would clear it.
        if sys.platform == "linux" and int(death_signal):
            _die_with(libc, int(parent), int(death_signal))
        os.execv(command[0], command)  # noqa: S606  this process becomes the other one
    except (OSError, _Refused) as error:
        sys.exit(f"{command[0]} cannot be started: {error}")


_main()
