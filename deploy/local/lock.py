"""One owner for each data folder, known to the kernel: a killed one holds nothing."""

import fcntl
import os
from types import TracebackType
from typing import Self

from deploy.local.children import started_at
from deploy.local.folder import DataFolder
from deploy.local.problems import Conflict


class FolderLock:
    """Held until it is closed or the process ends."""

    def __init__(self, data: DataFolder) -> None:
        self._descriptor = os.open(data.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            holder = holder_of(data)
            raise Conflict(
                f"{data.root} is in use by {f'process {holder}' if holder else 'another process'}: "
                "stop it with `keyturn down`, or give another folder with --data-dir."
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()} {started_at(os.getpid())}".encode(), 0)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def holder_of(data: DataFolder) -> int | None:
    """Tell which process owns the folder now, without a lock, which could refuse the owner."""
    try:
        pid, began = data.lock.read_text(encoding="ascii").split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if started_at(int(pid)) == float(began) else None
