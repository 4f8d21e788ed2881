"""Where unix sockets are: over 107 bytes, a path can be listened on and never be reached."""

import os
import tempfile
from pathlib import Path

from deploy.local.folder import PRIVATE, DataFolder, make_private
from deploy.local.problems import StackProblem
from deploy.local.state import State

_LIMIT = 107
_LONGEST_NAME = "pg/.s.PGSQL.5432"
SHORT_PLACES = ("/tmp",)  # noqa: S108  a folder of mode 0700 is made there


def fits(folder: Path) -> bool:
    return len(os.fsencode(folder / _LONGEST_NAME)) <= _LIMIT


def keep_socket_folder(state: State, data: DataFolder) -> Path:
    """Return a folder of mode 0700 whose sockets can be reached, the same one at every start."""
    kept = state.sockets
    if kept is not None and fits(kept) and (kept == data.root / "run" or _is_ours(kept)):
        folder = kept
    elif fits(data.root / "run"):
        folder = data.root / "run"
    else:
        folder = _short_folder()
    make_private(folder)
    make_private(folder / "pg")
    state.sockets = folder
    return folder


def _is_ours(folder: Path) -> bool:
    """Tell whether nobody else could have made it: it lies where everyone may write."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    found = folder.stat()
    return found.st_uid == os.getuid() and found.st_mode & 0o777 == PRIVATE


def _short_folder() -> Path:
    places = [os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), *SHORT_PLACES]
    for place in filter(None, places):
        if fits(Path(place) / "keyturn-xxxxxxxx") and os.access(place, os.W_OK):
            return Path(tempfile.mkdtemp(prefix="keyturn-", dir=place))
    raise StackProblem(
        f"No folder for sockets has a path short enough (at most {_LIMIT} bytes with the socket's "
        "name): choose a shorter --data-dir, or set XDG_RUNTIME_DIR or TMPDIR to a short folder."
    )
