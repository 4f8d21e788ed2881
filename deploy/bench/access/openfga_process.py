"""OpenFGA as processes of the measurement's own, built by Go where that is at hand."""

import os
import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.bench.access.place import NAME, Place, cpu_seconds, free_port, resident_bytes
from deploy.local.children import Child, Command, last_line, run_to_end
from deploy.local.jars import cache_folder
from deploy.local.ports import LOOPBACK, is_free
from deploy.local.problems import StackProblem
from deploy.local.roles import create_database
from shared.cli.output import say

VERSION = "v1.22.1"
_MODULE = f"github.com/openfga/openfga/cmd/openfga@{VERSION}"
HOW_TO = (
    "OpenFGA is left out: it is built by Go (1.26 or later), which is not on the PATH, or could "
    "not build it."
)
_DATABASE = "bench_openfga"
_READY_SECONDS = 60.0
_PAUSE = 0.05
MOST_CHECKS = 100
"""In one request; OpenFGA's own bound is 50."""


@dataclass(frozen=True, slots=True)
class Process:
    port: int
    child: Child

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.child.pid)

    def resident_bytes(self) -> int:
        return resident_bytes(self.child.pid)


def built() -> Path | None:
    """Return the program where an earlier measurement has built it."""
    file = _folder() / "openfga"
    return file if file.exists() else None


def build() -> Path | None:
    """Return the program, built now where it is not there; None where there is no Go."""
    if (there := built()) is not None:
        return there
    go = shutil.which("go")
    if go is None:
        return None
    say(f"Building OpenFGA {VERSION}, once: this takes some minutes.")
    _folder().mkdir(parents=True, exist_ok=True)
    run = subprocess.run(
        [go, "install", _MODULE], env={**os.environ, "GOBIN": str(_folder())}, check=False
    )
    return built() if run.returncode == 0 else None


@contextmanager
def running(place: Place, program: Path) -> Generator[dict[str, Process]]:
    """Run it twice on a database of its own: as it is by default, and with its cache of checks."""
    create_database(place.plan.postgres, _DATABASE, service=NAME, template=None)
    settings = _settings(place)
    log = place.data.log_of("openfga")
    migrate = Command(words=(str(program), "migrate"), log=log, environment=settings)
    if run_to_end(migrate, within=_READY_SECONDS) != 0:
        raise StackProblem(f"OpenFGA could not make its tables: {last_line(log)}")
    processes: dict[str, Process] = {}
    try:
        port = place.alone.port
        for name, more in (
            ("openfga", {}),
            ("openfga_with_cache", {"OPENFGA_CHECK_QUERY_CACHE_ENABLED": "true"}),
        ):
            port = free_port(port)
            grpc = free_port(port)
            own = {
                "OPENFGA_HTTP_ADDR": f"{LOOPBACK}:{port}",
                "OPENFGA_GRPC_ADDR": f"{LOOPBACK}:{grpc}",
            }
            child = Child(
                Command(
                    words=(str(program), "run"),
                    log=place.data.log_of(name),
                    environment={**settings, **own, **more},
                )
            )
            processes[name] = Process(port, child)
            _wait(processes[name], place.data.log_of(name))
            port = grpc
        yield processes
    finally:
        for one in processes.values():
            one.child.stop()


def _settings(place: Place) -> dict[str, str]:
    """Return its environment: a password would be seen by all among its arguments."""
    known = place.plan.settings_of(NAME).database
    return {
        "OPENFGA_DATASTORE_ENGINE": "postgres",
        "OPENFGA_DATASTORE_URI": f"postgres:///{_DATABASE}?host={known.host}&sslmode=disable",
        "OPENFGA_DATASTORE_USERNAME": known.owner.name,
        "OPENFGA_DATASTORE_PASSWORD": known.owner.password.get_secret_value(),
        "OPENFGA_PLAYGROUND_ENABLED": "false",
        "OPENFGA_METRICS_ENABLED": "false",
        "OPENFGA_LOG_LEVEL": "error",
        "OPENFGA_MAX_CHECKS_PER_BATCH_CHECK": str(MOST_CHECKS),
    }


def _wait(process: Process, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    # It listens once it serves.
    while is_free(process.port):
        if process.child.exit_code is not None or time.monotonic() > deadline:
            raise StackProblem(f"OpenFGA does not serve: {last_line(log)}")
        time.sleep(_PAUSE)


def _folder() -> Path:
    return cache_folder() / "openfga" / VERSION
