"""Commands whose outcome has not come, kept so that a new process can send them again."""

import contextlib
from pathlib import Path

from pydantic import ValidationError

from keyturn_client.commands import Prepared
from keyturn_client.keys import read_private, write_private


class Kept:
    """A folder with a file for each command; without a folder, nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, command: Prepared) -> None:
        """Write it down before it is sent for the first time."""
        if self._folder is not None:
            # Kept already: it is the same, byte by byte.
            with contextlib.suppress(FileExistsError):
                write_private(self._folder / f"{command.id}.json", command.model_dump_json())

    def forget(self, command: Prepared) -> None:
        if self._folder is not None:
            (self._folder / f"{command.id}.json").unlink(missing_ok=True)

    def all(self) -> list[Prepared]:
        """Return what has no outcome yet, the oldest first; a file cut off was never sent."""
        found: list[Prepared] = []
        for path in sorted(self._folder.glob("*.json")) if self._folder is not None else ():
            with contextlib.suppress(ValidationError):
                found.append(Prepared.model_validate_json(read_private(path)))
        return found
