"""Who runs the mail server: starts it, and says which passwords work there."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

from deploy.demo.certificate import make_certificate

USER = "keyturn-demo"
_PROJECT = Path(__file__).parents[2]


class MailServerError(RuntimeError):
    """The mail server has ended; what it said last is in its `mail.err`."""


class MailOperator:
    """The one who may tell the mail server what to do: over its stdin, which nobody else reads."""

    def __init__(self, process: Process, port: int, folder: Path) -> None:
        self._process = process
        self.port = port
        self.log = folder / "mail.jsonl"
        self.trust_root = folder / "authority.pem"

    @classmethod
    async def start(cls, folder: Path, *, lives_with: int | None = None) -> "MailOperator":
        """Start a server with a certificate of its own in this folder; it knows no password yet."""
        make_certificate(folder)
        with (folder / "mail.err").open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "deploy.demo.mail", "--folder", str(folder)),
                *("--user", USER, "--lives-with", str(lives_with or os.getpid())),
                stdin=PIPE,
                stdout=PIPE,
                stderr=errors,
                cwd=_PROJECT,
            )
        answer = await _answer(process)
        return cls(process, int(answer["port"]), folder)

    async def add(self, label: str, password: str) -> None:
        """Let this password work beside the others; the log names it by its label."""
        await self._tell({"do": "add", "label": label, "password": password})

    async def drop(self, label: str) -> None:
        await self._tell({"do": "drop", "label": label})

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()
        await self.ended()

    async def ended(self) -> int:
        """Wait until the server has ended, and return how."""
        return await self._process.wait()

    async def _tell(self, order: dict[str, str]) -> None:
        assert self._process.stdin is not None  # noqa: S101  it was started with a pipe
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._process.stdin.drain()
        await _answer(self._process)


async def _answer(process: Process) -> dict[str, Any]:
    assert process.stdout is not None  # noqa: S101  it was started with a pipe
    line = await process.stdout.readline()
    if not line:
        raise MailServerError("The mail server has ended. Its file mail.err may say why.")
    return json.loads(line)
