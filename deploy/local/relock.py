"""Writes `jars.lock` anew: `python -m deploy.local.relock`, after a root has another version."""

import hashlib
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jgo.maven import Artifact, MavenContext

from deploy.local.jars import LOCK

ROOTS = ("org.apache.kafka:kafka_2.13:4.3.1", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4")
_HEAD = """\
# Kafka's broker and its logging, with all that they need: coordinates and SHA-256.
# Written by `python -m deploy.local.relock`.
"""


def _main() -> None:
    with tempfile.TemporaryDirectory() as repository:
        artifacts: dict[str, Artifact] = {}
        for root in ROOTS:
            artifacts |= _artifacts(root, Path(repository))
        with ThreadPoolExecutor(8) as pool:
            digests = list(pool.map(_sha256, artifacts.values()))
    lines = sorted(f"{name} {digest}\n" for name, digest in zip(artifacts, digests, strict=True))
    LOCK.write_text(_HEAD + "".join(lines), encoding="utf-8")
    sys.stderr.write(f"{len(lines)} jars are pinned in {LOCK}.\n")


def _artifacts(root: str, repository: Path) -> dict[str, Artifact]:
    # One root a call: two import each other's bills of materials, and Kafka's clients change.
    context = MavenContext(repo_cache=repository)
    dependency = context.create_dependency(root)
    _, nodes = context.resolver.get_dependency_list([dependency])
    found = [dependency.artifact, *(node.dep.artifact for node in nodes)]
    return {f"{one.groupId}:{one.artifactId}:{one.version}": one for one in found}


def _sha256(artifact: Artifact) -> str:
    return hashlib.sha256(artifact.resolve().read_bytes()).hexdigest()


if __name__ == "__main__":
    _main()
