"""The passwords of one stack: made once, one file of mode 0600 each."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from deploy.local.folder import make_private, write_private

_BYTES = 24


@dataclass(frozen=True, slots=True)
class Passwords:
    folder: Path

    def file_of(self, part: str, name: str) -> Path:
        return self.folder / part / name

    def of(self, part: str, name: str) -> str:
        """Return the password of a name at a part, made now if there is none yet."""
        file = self.file_of(part, name)
        if not file.exists():
            make_private(file.parent)
            write_private(file, secrets.token_urlsafe(_BYTES))
        return file.read_text(encoding="utf-8")
