"""A process of the demo: it is told what to do by lines of JSON, and answers by such lines."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

from deploy.local.forks import environment

_PROJECT = Path(__file__).parents[2]
_STOP_SECONDS = 10.0
_LINE_LIMIT = 1024 * 1024

Line = dict[str, Any]


class ChildEndedError(RuntimeError):
    """A process of the demo has ended before its time; the text says where to look."""


class Child:
    """One such process. Orders go over its stdin, which no other process can read."""

    def __init__(self, process: Process, errors: Path) -> None:
        self._process = process
        self._errors = errors
        self._answers: asyncio.Queue[Line | None] = asyncio.Queue()
        self._reading = asyncio.create_task(self._read())
        self.notes: list[Line] = []
        """What it said without being asked."""

    @classmethod
    async def start(cls, module: str, *words: str, errors: Path) -> "Child":
        """Run `python -m module word…`; what it writes to stderr goes to that file."""
        with errors.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", module, *words),
                stdin=PIPE,
                stdout=PIPE,
                stderr=file,
                env=environment(_PROJECT),
                limit=_LINE_LIMIT,
                # A Ctrl-C in the terminal is for the demo, which ends its processes in their order.
                start_new_session=True,
            )
        return cls(process, errors)

    async def answer(self) -> Line:
        """Return its next answer, or raise `ChildEndedError`."""
        found = await self._answers.get()
        if found is None:
            raise ChildEndedError(f"A process of the demo has ended: {self._errors} may say why.")
        return found

    async def tell(self, order: Line) -> Line:
        """Give an order, and return its answer."""
        assert self._process.stdin is not None  # noqa: S101  it was started with a pipe
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        try:
            await self._process.stdin.drain()
        except ConnectionError:
            await self.ended()
        return await self.answer()

    async def ended(self) -> int:
        """Wait until it has ended, and return how."""
        return await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end, and end it when it takes too long."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self.ended()
        except TimeoutError:
            self._process.kill()
            await self.ended()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  it was started with a pipe
        async for line in self._process.stdout:
            said: Line = json.loads(line)
            if "note" in said:
                self.notes.append(said)
            else:
                self._answers.put_nowait(said)
        self._answers.put_nowait(None)


class Orders:
    """The child's side: orders as they come."""

    def __init__(self) -> None:
        self._reader = asyncio.StreamReader(limit=_LINE_LIMIT)

    async def open(self) -> None:
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._reader), sys.stdin
        )

    async def next(self) -> Line | None:
        """Return the next order, or None when nobody can give one any more."""
        line = await self._reader.readline()
        return json.loads(line) if line else None


def say(line: Line) -> None:
    """Answer, or with the key `note` say something without being asked."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
