"""The folder that holds everything of one stack, and what lies where in it."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.local.problems import NotAllowed

PRIVATE = 0o700


@dataclass(frozen=True, slots=True)
class DataFolder:
    """One stack's data. Two stacks have two folders and share nothing."""

    root: Path

    @property
    def state(self) -> Path:
        """What is remembered from one start to the next."""
        return self.root / "state.json"

    @property
    def status(self) -> Path:
        """What the supervisor says about each part."""
        return self.root / "status.json"

    @property
    def lock(self) -> Path:
        return self.root / "supervisor.lock"

    @property
    def passwords(self) -> Path:
        return self.root / "passwords"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def kafka(self) -> Path:
        return self.root / "kafka"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def redis(self) -> Path:
        return self.root / "redis"

    @property
    def services(self) -> Path:
        """The settings of each service, one file each."""
        return self.root / "services"

    @property
    def issuers(self) -> Path:
        return self.root / "issuers"

    def settings_of(self, service: str) -> Path:
        return self.services / f"{service}.json"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    def keys_of(self, service: str) -> Path:
        return self.keys / service

    def log_of(self, part: str) -> Path:
        return self.logs / f"{part}.log"


def open_data_folder(root: Path) -> DataFolder:
    """Make the folder and its rooms where they are missing, readable by their owner alone."""
    folder = DataFolder(root.absolute())
    for room in (
        folder.root,
        folder.passwords,
        folder.logs,
        folder.kafka,
        folder.redis,
        folder.services,
        folder.issuers,
        folder.keys,
    ):
        make_private(room)
    return folder


def make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o777 != PRIVATE:
            folder.chmod(PRIVATE)
    except OSError as error:
        raise NotAllowed(
            f"The folder {folder} cannot be used ({error.strerror}): choose another with "
            "--data-dir."
        ) from error


def write_private(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a file of mode 0600; a reader sees what was there before or all of it.

    It outlives a loss of power, unless it is not `durable`.
    """
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    Path(beside).replace(path)
