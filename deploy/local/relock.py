"""Writes `jars.lock` anew: `python -m deploy.local.relock`, after a root below has another version."""

import hashlib
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jgo.maven import MavenContext

from deploy.local.jars import LOCK

ROOTS = ("org.apache.kafka:kafka_2.13:4.3.1", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4")
_HEAD = """\
# Kafka's broker and its logging, with all that they need: coordinates and SHA-256.
# Written by `python -m deploy.local.relock`.
"""


def _main() -> None:
    with tempfile.TemporaryDirectory() as repository:
        artifacts = {
            f"{one.groupId}:{one.artifactId}:{one.version}": one
            for root in ROOTS
            for one in _artifacts(root, Path(repository))
        }
        with ThreadPoolExecutor(8) as pool:
            paths = list(pool.map(lambda one: one.resolve(), artifacts.values()))
        lines = sorted(
            f"{coordinates} {hashlib.sha256(path.read_bytes()).hexdigest()}\n"
            for coordinates, path in zip(artifacts, paths, strict=True)
        )
    LOCK.write_text(_HEAD + "".join(lines), encoding="utf-8")
    sys.stderr.write(f"{len(lines)} jars are pinned in {LOCK}.\n")


def _artifacts(root: str, repository: Path) -> list:
    # One root a call: two import each other's bills of materials, and Kafka's clients change.
    context = MavenContext(repo_cache=repository)
    dependency = context.create_dependency(root)
    _, nodes = context.resolver.get_dependency_list([dependency])
    return [dependency.artifact, *(node.dep.artifact for node in nodes)]


if __name__ == "__main__":
    _main()
