"""A formatted storage for Kafka: formatted once for a machine, copied for each stack.

Formatting takes a JVM two seconds, and what it writes holds no address and no password: only the
two ids, which every copy gets anew.
"""

import base64
import os
import shutil
import tempfile
import uuid
from pathlib import Path

from deploy.local.children import Command, last_line, run_to_end
from deploy.local.jars import LOCK
from deploy.local.java import java_command
from deploy.local.problems import StackProblem

_IDENTITY = "meta.properties"
_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:1
listeners=CLIENT://127.0.0.1:2,CONTROLLER://127.0.0.1:1
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
log.dirs={folder}
"""


def make(storage: Path, *, cache: Path, jars: tuple[Path, ...], log: Path) -> None:
    """Put a formatted storage with ids of its own at that place, whole or not at all."""
    template = cache / f"kafka-storage-{_version()}"
    if not template.exists():
        _format(template, jars=jars, log=log)
    beside = Path(tempfile.mkdtemp(dir=storage.parent, prefix=".storage-"))
    shutil.copytree(template, beside, dirs_exist_ok=True)
    identity = f"version=1\nnode.id=1\ncluster.id={_new_id()}\ndirectory.id={_new_id()}\n"
    (beside / _IDENTITY).write_text(identity, encoding="ascii")
    beside.replace(storage)


def _format(template: Path, *, jars: tuple[Path, ...], log: Path) -> None:
    with tempfile.TemporaryDirectory(dir=template.parent, prefix=".format-") as work:
        made = Path(work, "storage")
        settings = Path(work, "server.properties")
        settings.write_text(_SETTINGS.format(folder=made), encoding="utf-8")
        words = java_command(
            jars, "kafka.tools.StorageTool", "format", "-t", _new_id(), "-c", str(settings)
        )
        code = run_to_end(Command(words=words, log=log), within=60)
        if code != 0:
            raise StackProblem(
                f"Kafka could not format its storage; the last it said, in {log}: {last_line(log)}"
            )
        try:
            made.rename(template)
        except OSError:
            # Another start of this machine was quicker, and its template is as good.
            if not template.exists():
                raise


def _version() -> str:
    """Name the template after the pinned jars: another Kafka formats another way."""
    import hashlib  # noqa: PLC0415  only the first start of a machine needs it

    return hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]


def _new_id() -> str:
    """Make an id as Kafka does: a random UUID in the URL's alphabet; no leading dash."""
    while True:
        made = base64.urlsafe_b64encode(uuid.UUID(bytes=os.urandom(16)).bytes).decode().rstrip("=")
        if not made.startswith("-"):
            return made
