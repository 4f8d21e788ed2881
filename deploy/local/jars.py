"""Kafka's jars: pinned in `jars.lock`, fetched once for a machine, verified at every start."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from deploy.local.parts import Say
from deploy.local.problems import StackProblem

LOCK = Path(__file__).with_name("jars.lock")
_AT_ONCE = 8
_MEGABYTE = 1024 * 1024
_INSTALLED_AT = 1_767_225_600
"""The modification time of every jar: the JVM's cache of classes is bound to it, and a jar that was
fetched again is the same jar."""


@dataclass(frozen=True, slots=True)
class Jar:
    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def coordinates(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"


def locked_jars() -> tuple[Jar, ...]:
    return tuple(_parse(LOCK.read_text(encoding="utf-8")))


def _parse(text: str) -> Iterator[Jar]:
    for line in text.splitlines():
        if line and not line.startswith("#"):
            coordinates, sha256 = line.split()
            yield Jar(*coordinates.split(":"), sha256=sha256)


def cache_folder() -> Path:
    """Name the user's cache, which all stacks of a machine share."""
    given = os.environ.get("KEYTURN_CACHE")
    if given:
        return Path(given).absolute()
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "keyturn"


def jars_folder(cache: Path) -> Path:
    return cache / "jars"


def ensure_jars(say: Say, *, cache: Path | None = None) -> tuple[Path, ...]:
    """Return the path of every jar; fetch what is missing or is not what the lock says."""
    folder = jars_folder(cache or cache_folder())
    folder.mkdir(parents=True, exist_ok=True)
    jars = locked_jars()
    missing = missing_jars(folder)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        if missing:
            broken = [jar.file_name for jar in missing if (folder / jar.file_name).exists()]
            if broken:
                say(f"Not as pinned, fetched again: {', '.join(broken)}.")
            _fetch(missing, folder, say, pool)
    return tuple(folder / jar.file_name for jar in jars)


def missing_jars(folder: Path) -> list[Jar]:
    """Return those that are not there, or not what the lock says."""
    jars = locked_jars()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        whole = list(pool.map(_is_whole, (folder / jar.file_name for jar in jars), jars))
    return [jar for jar, is_whole in zip(jars, whole, strict=True) if not is_whole]


def _is_whole(path: Path, jar: Jar) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def _fetch(missing: list[Jar], folder: Path, say: Say, pool: ThreadPoolExecutor) -> None:
    say(f"Fetching Kafka: {len(missing)} of {len(locked_jars())} jars (45 MB in all), once.")
    # In the same file system, so that a rename puts a jar in its place whole.
    beside = Path(tempfile.mkdtemp(dir=folder, prefix=".fetch-"))
    try:
        waiting = {pool.submit(_fetch_one, jar, beside, folder): jar for jar in missing}
        size = 0
        for fetched, done in enumerate(as_completed(waiting), start=1):
            size += done.result()
            if fetched % 10 == 0 or fetched == len(missing):
                say(f"Fetched {fetched} of {len(missing)} jars, {size / _MEGABYTE:.0f} MB.")
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _fetch_one(jar: Jar, beside: Path, folder: Path) -> int:
    # Imported where it is needed: most starts fetch nothing, and it is a third of a second.
    import requests  # noqa: PLC0415
    from jgo.maven import MavenContext  # noqa: PLC0415

    registry = os.environ.get("KEYTURN_MAVEN", "https://repo.maven.apache.org/maven2").rstrip("/")
    context = MavenContext(repo_cache=beside, remote_repos={"registry": registry}, timeout=30)
    project = context.project(jar.group, jar.artifact)
    try:
        path = project.at_version(jar.version).artifact(packaging="jar").resolve()
    except (requests.RequestException, RuntimeError) as error:
        raise StackProblem(
            f"Kafka's jar {jar.coordinates} cannot be fetched from {registry}: check the network "
            "and HTTPS_PROXY, or name a mirror of Maven Central in KEYTURN_MAVEN."
        ) from error
    if not _is_whole(path, jar):
        raise StackProblem(
            f"{registry} gave another {jar.coordinates} than the one that is pinned: it was not "
            "used. Try again; if it stays so, do not trust that registry."
        )
    os.utime(path, (_INSTALLED_AT, _INSTALLED_AT))
    size = path.stat().st_size
    path.replace(folder / jar.file_name)
    return size
