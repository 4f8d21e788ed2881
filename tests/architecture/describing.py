"""Says what a service is made of, in a process of its own: assembling one changes its process."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from shared.messaging.declared import Service
from shared.settings import ServiceSettings
from tests.architecture.reading import ROOT


@dataclass(frozen=True)
class Described:
    """A service, by the names of its parts."""

    name: str
    listens_to: list[str]
    commands: list[str]
    heard: list[str]
    """The services whose events its listeners take."""


@cache
def describe(folder: str) -> Described:
    """Assemble `services.<folder>` as its `main` does, and return what it would run."""
    described = subprocess.run(
        [sys.executable, "-m", "tests.architecture.describing", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert described.returncode == 0, described.stderr
    return Described(**json.loads(described.stdout))


def settings_for(name: str, keys: Path) -> ServiceSettings:
    login = {"name": name, "password": "p"}
    return ServiceSettings.model_validate(
        {
            "service": name,
            "kafka": {"bootstrap": "127.0.0.1:1", "principal": name, "password": "p"},
            "database": {
                "host": "127.0.0.1",
                "name": name,
                "owner": login,
                "writer": login,
                "reader": login,
            },
            "redis": {"user": name, "password": "p"},
            "http": {"port": 1},
            "keys": str(keys),
            "issuers": str(keys),
        }
    )


def _main(folder: str) -> None:
    app: Any = import_module(f"services.{folder}.app")

    def say(service: Service, _settings: ServiceSettings) -> None:
        described = {
            "name": service.name,
            "listens_to": list(service.listens_to),
            "commands": sorted(one.__name__ for one in service.handlers.commands),
            "heard": sorted({one.event.service for one in service.handlers.listeners}),
        }
        sys.stdout.write(json.dumps(described))

    app.run = say
    with tempfile.TemporaryDirectory() as keys:
        app.main(settings_for(folder.replace("_", "-"), Path(keys)))


if __name__ == "__main__":
    _main(sys.argv[1])
