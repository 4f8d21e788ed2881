"""A stack run by its supervisor, as `keyturn up` does, with small services of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.folder import DataFolder
from deploy.local.status import PartStatus, Status, read_status
from tests.waiting import until

ROOT = Path(__file__).parents[2]
SERVICES = ("catalog", "installation", "credential_vault", "access", "workflow")

SMALL_SERVICE = '''\
"""Answers that it is ready until it is told to stop."""

import http.server
import signal
import threading


class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health/ready" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


def main(settings):
    server = http.server.HTTPServer((settings.http.host, settings.http.port), Ready)
    stop = lambda *_: threading.Thread(target=server.shutdown).start()
    signal.signal(signal.SIGTERM, stop)
    print(f"{settings.service} serves")
    server.serve_forever()
    print(f"{settings.service} stopped in order")
'''


def write_services(folder: Path, **texts: str) -> Path:
    """Make a folder from which small services are imported; a text replaces that of one."""
    for name in SERVICES:
        package = folder / "services" / name
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "app.py").write_text(texts.get(name, SMALL_SERVICE), encoding="utf-8")
    (folder / "services" / "__init__.py").touch()
    return folder


@dataclass(frozen=True, slots=True)
class Supervised:
    """One stack, spoken to by the command line only."""

    root: Path
    services: Path

    @property
    def data(self) -> DataFolder:
        return DataFolder(self.root)

    def keyturn(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        path = os.pathsep.join([str(self.services), str(ROOT)])
        return subprocess.run(
            [sys.executable, "-P", "-m", "deploy", *words],
            env={**os.environ, "PYTHONPATH": path, "KEYTURN_DATA_DIR": str(self.root)}
            | environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def addresses(self) -> dict[str, Any]:
        run = self.keyturn("status", "-o", "json")
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)

    def status(self) -> Status:
        status = read_status(self.data)
        assert status is not None
        return status

    def part(self, name: str) -> PartStatus:
        return self.status().parts[name]

    def until_ready(self) -> Status:
        until(lambda: self.status().state == "ready", within=60)
        return self.status()


@contextmanager
def supervised(**texts: str) -> Generator[Supervised]:
    """Prepare a folder and services; nothing runs yet, and nothing does afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="keyturn-up-") as root,
        tempfile.TemporaryDirectory(prefix="keyturn-services-") as services,
    ):
        one = Supervised(Path(root, "data"), write_services(Path(services), **texts))
        try:
            yield one
        finally:
            one.keyturn("down")
