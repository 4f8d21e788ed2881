"""What a process does to itself before it reads a key: nobody else may look into its memory."""

import ctypes
import os
import resource
import sys

_PR_SET_DUMPABLE = 4


def close_to_others() -> None:
    """Refuse core files, and on Linux debuggers and readers of `/proc/<pid>/mem` too.

    A core file would hold every key and credential in clear, and be kept by whatever collects it.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"PR_SET_DUMPABLE: {os.strerror(number)}")
