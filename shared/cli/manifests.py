"""Manifests as files: which there are, what each says, and what is wrong with it."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from keyturn_contracts.catalog import Manifest

from shared.cli.library import Read, library
from shared.cli.problems import usage


def read(file: Path) -> Read:
    """Read a file, or tell why there is nothing to read."""
    try:
        return library().read(file)
    except OSError as error:
        raise usage(f"{file} cannot be read: {error.strerror}.") from None


def read_to_send(file: Path) -> Manifest:
    """Read a manifest that is to be published, or tell all that is wrong with it."""
    found = read(file)
    if found.manifest is None or found.problems:
        raise usage(f"{file} cannot be sent. {' '.join(found.problems)}")
    return found.manifest


def problems_of(found: Read, *, platform: str, private_hosts: Collection[str]) -> list[str]:
    """Return all that is wrong with what was read."""
    if found.manifest is None:
        return [*found.problems]
    judged = library().judge(found.manifest, platform=platform, private_hosts=private_hosts)
    return [*found.problems, *judged]


def files_of(given: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that were named, and of each folder every manifest in it."""
    for path in given:
        if not path.is_dir():
            yield path
            continue
        found = sorted(path.glob("*.yaml"))
        if not found:
            raise usage(f"There is no manifest in {path}: each is a file named <slug>.yaml.")
        yield from found
