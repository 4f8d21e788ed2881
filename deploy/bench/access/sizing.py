"""How much memory a replica takes, in a process of its own that does nothing else."""

import asyncio
import gc
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import psutil
from keyturn_client import Replica, ReplicaSettings

from deploy.local.folder import write_private
from deploy.local.forks import environment

_PROJECT = Path(__file__).parents[3]
_SECONDS = 600


def size_of_replica(settings: ReplicaSettings, file: Path) -> dict[str, int]:
    """Load a replica in another process twice, and return what it keeps and takes there.

    `bytes`: of live objects, as `tracemalloc` counts them. `resident_bytes`: how much more memory
    the process has afterwards, without that counting, buffers of its reading among it.
    """
    write_private(file, settings.model_dump_json())
    counted, resident = _run(file, "count"), _run(file, "load")
    return {
        "kept": counted["kept"],
        "bytes": counted["bytes"],
        "resident_bytes": resident["resident_bytes"],
    }


def _run(file: Path, what: str) -> dict[str, int]:
    run = subprocess.run(
        [sys.executable, "-P", "-m", "deploy.bench.access.sizing", what, str(file)],
        env=environment(_PROJECT),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=_SECONDS,
        check=True,
    )
    found: dict[str, int] = json.loads(run.stdout)
    return found


async def _load(settings: ReplicaSettings, *, counts: bool) -> dict[str, Any]:
    process = psutil.Process()
    gc.collect()
    resident = process.memory_info().rss
    if counts:
        tracemalloc.start()
    async with Replica(settings) as replica:
        gc.collect()
        return {
            "kept": replica.kept,
            "bytes": tracemalloc.get_traced_memory()[0] if counts else 0,
            "resident_bytes": process.memory_info().rss - resident,
        }


def main() -> None:
    """`python -m deploy.bench.access.sizing count|load FILE`."""
    what, file = sys.argv[1:]
    settings = ReplicaSettings.model_validate_json(Path(file).read_bytes())
    sys.stdout.write(json.dumps(asyncio.run(_load(settings, counts=what == "count"))))


if __name__ == "__main__":
    main()
