"""The process that forks services: it copies no thread, and what it forks ends with it."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from deploy.local.forks import Event, Forks, Imported, ServiceEnded, ServiceStarted
from deploy.local.ports import Ports
from deploy.local.state import State
from shared.settings import (
    DatabaseSettings,
    HttpSettings,
    KafkaSettings,
    Login,
    RedisSettings,
    ServiceSettings,
    write_settings,
)
from tests.stack.supervised import ROOT, SMALL_SERVICE, write_services
from tests.waiting import until

SECRET = SecretStr("only for this test")


@contextmanager
def zygote(folder: Path, monkeypatch: pytest.MonkeyPatch, **texts: str) -> Generator[Forks]:
    write_services(folder, **texts)
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{ROOT}")
    forks = Forks(folder / "zygote.log", ROOT)
    try:
        yield forks
    finally:
        forks.close()


@pytest.fixture
def settings(tmp_path: Path) -> Generator[Path]:
    login = Login(name="nobody", password=SECRET)
    with Ports(State()) as ports:
        file = tmp_path / "catalog.json"
        write_settings(
            file,
            ServiceSettings(
                service="catalog",
                kafka=KafkaSettings(bootstrap="nowhere", principal="catalog", password=SECRET),
                database=DatabaseSettings(
                    host="nowhere", name="catalog", owner=login, writer=login, reader=login
                ),
                redis=RedisSettings(user="catalog", password=SECRET),
                http=HttpSettings(port=ports.keep("catalog")),
                keys=tmp_path,
                issuers=tmp_path,
            ),
        )
        yield file


def next_events(forks: Forks) -> list[Event]:
    return until(forks.events)


def test_a_fork_serves_until_it_is_told_to_stop(
    tmp_path: Path, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "catalog.log"
    with zygote(tmp_path, monkeypatch) as forks:
        assert next_events(forks) == [Imported()]
        assert len(psutil.Process(forks.pid).threads()) == 1
        forks.start("catalog", settings=settings, log=log)
        [started] = next_events(forks)
        assert isinstance(started, ServiceStarted)
        until(lambda: log.exists() and "catalog serves" in log.read_text())
        forks.stop("catalog")
        assert next_events(forks) == [ServiceEnded("catalog", started.pid, 0)]
        assert "catalog stopped in order" in log.read_text()


def test_what_was_forked_ends_with_the_process_that_forked_it(
    tmp_path: Path, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "catalog.log"
    with zygote(tmp_path, monkeypatch) as forks:
        forks.start("catalog", settings=settings, log=log)
        until(lambda: log.exists() and "catalog serves" in log.read_text())
        [fork] = psutil.Process(forks.pid).children()
        psutil.Process(forks.pid).kill()
        assert psutil.wait_procs([fork], timeout=20)[1] == []


@pytest.mark.parametrize(
    ("careless", "complaint"),
    [
        (
            "from threading import *; Thread(target=Event().wait, daemon=True).start()",
            "started threads",
        ),
        ("import socket; opened = socket.socket()", "opened a connection or a loop"),
        ("import asyncio; loop = asyncio.new_event_loop()", "opened a connection or a loop"),
    ],
)
def test_nothing_is_forked_when_an_import_has_left_what_a_fork_would_copy(
    tmp_path: Path,
    settings: Path,
    monkeypatch: pytest.MonkeyPatch,
    careless: str,
    complaint: str,
) -> None:
    with zygote(tmp_path, monkeypatch, catalog=f"{careless}\n{SMALL_SERVICE}") as forks:
        forks.start("catalog", settings=settings, log=tmp_path / "catalog.log")
        assert until(lambda: forks.exit_code) == 1
        assert complaint in (tmp_path / "zygote.log").read_text()
