"""Files that only their owner may read: keys, and what else is secret at rest."""

import os
import stat
import tempfile
from pathlib import Path

_OTHERS = 0o077


class ExposedFileError(PermissionError):
    """Others than the owner may read a private file, or look into its folder."""


class MissingFileError(FileNotFoundError):
    """A private file or its folder is not there."""


def check_private_folder(folder: Path) -> None:
    """Refuse a folder that is missing, or that anybody but its owner may enter."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        raise MissingFileError(
            f"{folder} is missing: make it with `mkdir -m 0700 {folder}`."
        ) from None
    _check_mode(folder, found.st_mode, "0700")


def read_private_file(path: Path) -> bytes:
    """Read a file; refuse one that anybody but its owner may read."""
    with path.open("rb") as file:
        _check_mode(path, os.fstat(file.fileno()).st_mode, "0600")
        return file.read()


def create_private_file(path: Path, content: bytes) -> bool:
    """Write a new file with mode 0600, whole or not at all; False where it is there already."""
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, never replaces what another process has just made.
        os.link(beside, path)
    except FileExistsError:
        return False
    finally:
        Path(beside).unlink()
    _sync_folder(path.parent)
    return True


def _sync_folder(folder: Path) -> None:
    """Make the new name durable: what is encrypted under a lost key is lost."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_mode(path: Path, mode: int, wanted: str) -> None:
    permissions = stat.S_IMODE(mode)
    if permissions & _OTHERS:
        raise ExposedFileError(
            f"{path} holds keys and has mode {permissions:04o}: run `chmod {wanted} {path}`, "
            "and replace the keys if somebody may have read them."
        )
