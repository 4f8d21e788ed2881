"""Publishing many manifests, several in flight, each with an outcome of its own."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from keyturn_client.backend import Backend
from keyturn_client.problems import KeyturnError
from keyturn_contracts.catalog import Manifest, PublishExtension
from keyturn_contracts.message import CommandRefused

from shared.cli.exit_codes import ExitCode
from shared.cli.manifests import read
from shared.cli.options import Sends
from shared.cli.output import Row, counted

IN_FLIGHT = 8

Outcome = Literal["published", "unchanged", "refused", "unreadable", "unanswered", "sent", "unsent"]
"""`unreadable`: it was not sent. `unanswered`: its outcome has not come. `sent`: nobody waited for
it. `unsent`: with `--dry-run`."""
_FAILURES: tuple[Outcome, ...] = ("refused", "unreadable", "unanswered")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToLoad:
    """A file that is to be published, or says why it cannot be."""

    file: Path
    manifest: Manifest | None
    problem: str = ""

    def told(self, outcome: Outcome, **more: str) -> Row:
        slug = self.manifest.slug if self.manifest is not None else self.file.stem
        return {"extension": slug, "file": str(self.file), "outcome": outcome, **more}


class Tally:
    """Counts outcomes as they go by."""

    def __init__(self) -> None:
        self._counts: dict[Outcome, int] = {}

    async def of(self, rows: AsyncIterator[Row]) -> AsyncIterator[Row]:
        async for row in rows:
            outcome: Outcome = row["outcome"]
            self._counts[outcome] = self._counts.get(outcome, 0) + 1
            yield row

    @property
    def sentence(self) -> str:
        found = ", ".join(f"{number} {outcome}" for outcome, number in self._counts.items())
        return f"{counted(sum(self._counts.values()), 'manifest')}: {found}."

    @property
    def code(self) -> ExitCode:
        failed = sum(self._counts.get(one, 0) for one in _FAILURES)
        if not failed:
            return ExitCode.OK
        return ExitCode.FAILED if failed == sum(self._counts.values()) else ExitCode.PARTLY


def read_all(files: Iterable[Path]) -> Iterator[ToLoad]:
    """Read every file; of two with one slug only the first is to be published."""
    taken: dict[str, Path] = {}
    for file in files:
        found = read(file)
        if found.manifest is None or found.problems:
            yield ToLoad(file=file, manifest=None, problem=" ".join(found.problems))
            continue
        slug = found.manifest.slug
        other = taken.setdefault(slug, file)
        if other is file:
            yield ToLoad(file=file, manifest=found.manifest)
        else:
            yield ToLoad(file=file, manifest=None, problem=f"{other} has the slug {slug} as well.")


async def publish_all(
    backend: Backend, wanted: Sequence[ToLoad], options: Sends
) -> AsyncGenerator[Row]:
    """Publish them, and yield what came of each in their order."""
    gate = asyncio.Semaphore(IN_FLIGHT)

    async def publish(one: ToLoad) -> Row:
        async with gate:
            return await _publish(backend, one, options)

    tasks = [asyncio.create_task(publish(one)) for one in wanted]
    try:
        for task in tasks:
            yield await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def show_all(wanted: Sequence[ToLoad]) -> AsyncGenerator[Row]:
    """Yield of each what would be sent, as `publish_all` yields what came of it."""
    for one in wanted:
        yield _unreadable(one) if one.manifest is None else one.told("unsent")


async def _publish(backend: Backend, one: ToLoad, options: Sends) -> Row:
    if one.manifest is None:
        return _unreadable(one)
    prepared = backend.prepare(PublishExtension(manifest=one.manifest))
    id_ = {"command_id": prepared.id}
    try:
        if not options.wait:
            await backend.publish(prepared, within=options.patience)
            return one.told("sent", **id_)
        outcome = await backend.ask(prepared, within=options.patience)
    except KeyturnError as error:  # of this one; the others have outcomes of their own
        return one.told("unanswered", **id_, message=str(error))
    if isinstance(outcome, CommandRefused):
        return one.told("refused", **id_, reason=outcome.reason, message=outcome.message)
    return one.told("published" if outcome.changed else "unchanged", **id_)


def _unreadable(one: ToLoad) -> Row:
    return one.told("unreadable", message=one.problem)
