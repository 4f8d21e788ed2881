"""Kafka's jars: only what is pinned is ever run, wherever it comes from."""

import shutil
import threading
from collections.abc import Generator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.local.jars import Jar, cache_folder, ensure_jars, jars_folder, locked_jars
from deploy.local.problems import StackProblem

ONE = locked_jars()[0]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache with every jar, from which tests may take and spoil some."""
    for path in ensure_jars(print):
        there = jars_folder(tmp_path) / path.name
        there.parent.mkdir(exist_ok=True)
        there.hardlink_to(path) if same_disk(path, tmp_path) else shutil.copy2(path, there)
    return tmp_path


@pytest.fixture
def registry(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Generator[Path]:
    """Run a registry that has one jar, and return where that lies."""
    root = tmp_path_factory.mktemp("registry")
    jar = root / ONE.group.replace(".", "/") / ONE.artifact / ONE.version / ONE.file_name
    jar.parent.mkdir(parents=True)
    ensure_jars(print)
    shutil.copyfile(jars_folder(cache_folder()) / ONE.file_name, jar)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=root)) as server:
        threading.Thread(target=server.serve_forever).start()
        monkeypatch.setenv("KEYTURN_MAVEN", f"http://127.0.0.1:{server.server_port}")
        yield jar
        server.shutdown()


def test_a_jar_that_was_cut_is_fetched_again(cache: Path, registry: Path) -> None:
    spoil(cache, ONE, 1_000)
    said: list[str] = []
    paths = ensure_jars(said.append, cache=cache)
    assert said[0] == f"Not as pinned, fetched again: {ONE.file_name}."
    assert paths[0].read_bytes() == registry.read_bytes()
    assert [path.name for path in paths[0].parent.iterdir() if path.is_dir()] == []


def test_a_registry_that_gives_something_else_is_not_believed(cache: Path, registry: Path) -> None:
    spoil(cache, ONE, 0)
    registry.write_bytes(registry.read_bytes() + b"more")
    with pytest.raises(StackProblem, match=r"gave another .* than the one that is pinned"):
        ensure_jars(print, cache=cache)
    assert (jars_folder(cache) / ONE.file_name).stat().st_size == 0


def test_a_registry_that_is_missing_is_named_with_what_to_do(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(cache, ONE, 0)
    monkeypatch.setenv("KEYTURN_MAVEN", "http://127.0.0.1:9/maven2")
    with pytest.raises(StackProblem, match=r"cannot be fetched .*check the network") as problem:
        ensure_jars(print, cache=cache)
    assert "KEYTURN_MAVEN" in str(problem.value)


def spoil(cache: Path, jar: Jar, size: int) -> None:
    path = jars_folder(cache) / jar.file_name
    content = path.read_bytes()
    # A new file: the one that is there may be the machine's own.
    path.unlink()
    path.write_bytes(content[:size])


def same_disk(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        return
