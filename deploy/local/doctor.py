"""Looks for what would keep a stack from starting, and says what to do about it."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.local import aot, jars, postgres, redis
from deploy.local.folder import DataFolder
from deploy.local.java import java_binary
from deploy.local.lock import holder_of
from deploy.local.ports import LOOPBACK, is_free
from deploy.local.problems import StackProblem
from deploy.local.sockets import fits
from deploy.local.state import State

_GIGABYTE = 1024**3
_DISK = 2 * _GIGABYTE
_MEMORY = 1 * _GIGABYTE
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    is_well: bool
    sentence: str


def examine(data: DataFolder) -> Iterator[Finding]:
    """Yield a finding for each thing that a start needs."""
    yield _python()
    yield _program("java", lambda: (str(java_binary()), "-version"))
    yield _program("postgres", lambda: (str(postgres.binary("postgres")), "--version"))
    yield _program("redis", lambda: (str(redis.binary()), "--version"))
    yield _user()
    yield _disk("data", data.root)
    yield _disk("cache", jars.cache_folder())
    yield _memory()
    yield _jars()
    yield _sockets(data)
    yield from _ports(data)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    is_well = sys.version_info >= (3, 11)
    return Finding("python", is_well, f"Python {version}; 3.11 or later is needed.")


def _program(name: str, command: Callable[[], tuple[str, ...]]) -> Finding:
    try:
        run = subprocess.run(
            command(), check=True, capture_output=True, text=True, timeout=_SECONDS
        )
    except (OSError, subprocess.SubprocessError, StackProblem) as error:
        return Finding(
            name,
            is_well=False,
            sentence=f"It does not run ({error}): remove .venv, and ./keyturn installs it again.",
        )
    said = (run.stdout or run.stderr).splitlines()
    return Finding(name, is_well=True, sentence=f"It runs: {said[0] if said else 'yes'}.")


def _user() -> Finding:
    try:
        identity = postgres.find_identity()
    except StackProblem as problem:
        return Finding("user", is_well=False, sentence=str(problem))
    as_whom = {
        "STAY": "as you",
        "NAMESPACE": "in a user namespace, because it refuses to be root",
        "USER": "as nobody, because it refuses to be root",
    }
    return Finding("user", is_well=True, sentence=f"PostgreSQL runs {as_whom[identity]}.")


def _disk(subject: str, folder: Path) -> Finding:
    there = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(there).free
    sentence = f"{free / _GIGABYTE:.0f} GB are free for {folder}; 2 are needed."
    return Finding(subject, free >= _DISK, sentence)


def _memory() -> Finding:
    free = psutil.virtual_memory().available
    sentence = f"{free / _GIGABYTE:.1f} GB are free; a stack takes about 0.9."
    return Finding("memory", free >= _MEMORY, sentence)


def _jars() -> Finding:
    folder = jars.jars_folder(jars.cache_folder())
    missing = jars.missing_jars(folder)
    if missing:
        sentence = f"{len(missing)} of Kafka's jars are not in {folder} yet: `keyturn up` fetches."
        return Finding("jars", is_well=True, sentence=sentence)
    trained = "a first `up` makes its start quicker" if aot.is_missing() else "with a class cache"
    return Finding("jars", is_well=True, sentence=f"Kafka is whole in {folder}, {trained}.")


def _sockets(data: DataFolder) -> Finding:
    folder = State.read(data.state).sockets or data.root / "run"
    if fits(folder):
        return Finding("sockets", is_well=True, sentence=f"They are in {folder}.")
    sentence = f"{folder} is too long for sockets: a shorter folder is used instead."
    return Finding("sockets", is_well=True, sentence=sentence)


def _ports(data: DataFolder) -> Iterator[Finding]:
    ports = State.read(data.state).ports
    if not ports:
        yield Finding("ports", is_well=True, sentence="None is chosen yet; free ones will be.")
    elif holder_of(data) is not None:
        yield Finding("ports", is_well=True, sentence="In use by the stack that runs here.")
    else:
        taken = [f"{port} ({name})" for name, port in ports.items() if not is_free(port)]
        yield Finding(
            "ports",
            not taken,
            f"Taken on {LOOPBACK} by other programs: {', '.join(taken)}. Stop those, or choose "
            "new ones with `keyturn up --fresh-ports`."
            if taken
            else "Those that were chosen are free.",
        )
