"""Shows what the parts and services wrote, and what they write."""

import time
from collections.abc import Iterator
from pathlib import Path

from deploy.local.folder import DataFolder
from deploy.local.problems import NotFound

_PAUSE = 0.1
_TAIL_BYTES = 256 * 1024


def log_files(data: DataFolder, part: str | None) -> dict[str, Path]:
    """Return the logs there are, or the one of a part; raise NotFound when it has none."""
    found = {path.name.removesuffix(".log"): path for path in sorted(data.logs.glob("*.log"))}
    if part is None:
        return found
    if part not in found:
        raise NotFound(f"{part} has no log in {data.logs}: there are {', '.join(found) or 'none'}.")
    return {part: found[part]}


def last_lines(file: Path, count: int) -> list[str]:
    with file.open("rb") as log:
        log.seek(max(0, file.stat().st_size - _TAIL_BYTES))
        return log.read().decode(errors="replace").splitlines()[-count:] if count else []


def following(files: dict[str, Path]) -> Iterator[tuple[str, str]]:
    """Yield each new line with the part that wrote it, for ever."""
    places = {name: file.stat().st_size for name, file in files.items()}
    rest = dict.fromkeys(files, b"")
    while True:
        for name, file in files.items():
            if not file.exists():
                continue
            if file.stat().st_size < places[name]:
                # It was begun afresh.
                places[name] = 0
            with file.open("rb") as log:
                log.seek(places[name])
                read = log.read()
            places[name] += len(read)
            *lines, rest[name] = (rest[name] + read).split(b"\n")
            for line in lines:
                yield name, line.decode(errors="replace")
        time.sleep(_PAUSE)
