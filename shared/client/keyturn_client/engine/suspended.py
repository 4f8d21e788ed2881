"""Which tasks the engine must not run: read when the service says that they are others."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import timedelta

from keyturn_contracts.workflow import SuspendedTask, SuspendedTasks

from keyturn_client.engine.journal import Who
from keyturn_client.http import Http, Parameters
from keyturn_client.pauses import Pauses
from keyturn_client.problems import KeyturnError, SuspendedError

log = logging.getLogger("keyturn_client")

_PAGE = 5000
"""Tasks that are read at once."""


class Suspended:
    """The suspended tasks, as they were read last, and whether that is still what holds."""

    def __init__(self, http: Http, who: Who) -> None:
        self._http = http
        self._path = f"/v1/engines/{who.engine_id}/suspended"
        self._tasks: Mapping[str, list[SuspendedTask]] = {}
        self._numbers: Mapping[str, int] = {}
        self._heard: dict[str, int] = {}
        """Numbers of accounts whose tasks are to be read again since they were heard."""
        self._doubts, self._answered = 1, 0
        """How often nothing of it counted any more, as before the first time, and up to where that
        was answered by reading."""
        self._wake = asyncio.Event()
        self._changed = asyncio.Condition()

    @property
    def is_known(self) -> bool:
        return self._doubts == self._answered and not self._heard

    def by_account(self) -> dict[str, tuple[SuspendedTask, ...]]:
        """Return all, each account's in the order of workflows."""
        found: defaultdict[str, list[SuspendedTask]] = defaultdict(list)
        for some in self._tasks.values():
            for one in some:
                found[one.account_id].append(one)
        return {account_id: tuple(tasks) for account_id, tasks in found.items()}

    def hear(self, numbers: Mapping[str, int]) -> None:
        """Take the numbers that events tell: one that is another asks for reading again."""
        new = {id_: one for id_, one in numbers.items() if one != self._numbers.get(id_, 0)}
        if new:
            self._heard |= new
            self._wake.set()

    def doubt(self) -> None:
        """Read it all again before anything of it counts."""
        self._doubts += 1
        self._wake.set()

    async def read(self) -> None:
        """Read the list; what was heard before is in it. Raises what `Http` raises."""
        heard, doubts = dict(self._heard), self._doubts
        self._tasks, self._numbers = await self._read_pages()
        self._answered = doubts
        # What was heard meanwhile may be newer than the page on which it would stand.
        self._heard = {id_: one for id_, one in self._heard.items() if heard.get(id_) != one}
        async with self._changed:
            self._changed.notify_all()

    async def work(self) -> None:
        """Read whenever something asks for it, until cancelled."""
        pauses = Pauses()
        while True:
            if self.is_known:
                self._wake.clear()
                await self._wake.wait()
            try:
                await self.read()
            except KeyturnError as error:
                log.warning("Which tasks are suspended could not be read: %s", error)
                await asyncio.sleep(pauses.next())
            else:
                pauses.reset()

    async def known(self, accounts: Collection[str], wait: timedelta) -> None:
        """Wait until it is known which tasks that use these are suspended, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait.total_seconds()), self._changed:
                await self._changed.wait_for(lambda: self._knows(accounts))

    def check(self, workflow_id: str, accounts: Collection[str]) -> None:
        """Raise a `SuspendedError` where a task of the workflow is suspended, or that is not known.

        `accounts` are those that its tasks use.
        """
        if tasks := self._tasks.get(workflow_id):
            first, *others = tasks
            more = f" Others of its tasks are too: {len(others)}." if others else ""
            raise SuspendedError(
                "suspended",
                f"Workflow {workflow_id} is not run: its task {first.task_id} is suspended, which "
                f"may not use account {first.account_id} ({first.reason}).{more}",
                tasks=tuple(tasks),
            )
        if not self._knows(accounts):
            raise SuspendedError(
                "not_known",
                f"Workflow {workflow_id} is not run: which of its tasks are suspended is not known "
                "now, because the service could not be asked. Run it again later.",
            )

    def _knows(self, accounts: Collection[str]) -> bool:
        if not accounts:
            return True
        return self._doubts == self._answered and self._heard.keys().isdisjoint(accounts)

    async def _read_pages(self) -> tuple[dict[str, list[SuspendedTask]], Mapping[str, int]]:
        tasks: defaultdict[str, list[SuspendedTask]] = defaultdict(list)
        numbers: Mapping[str, int] | None = None
        asked: Parameters = {"limit": _PAGE}
        while True:
            page = SuspendedTasks.model_validate(
                await self._http.get("workflow", self._path, asked)
            )
            # Those of the first page: what is said on it may be older than a later one's.
            numbers = page.suspensions if numbers is None else numbers
            for one in page.tasks:
                tasks[one.workflow_id].append(one)
            if page.next is None:
                return dict(tasks), numbers
            asked = {"limit": _PAGE, "after": page.next}
