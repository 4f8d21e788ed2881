"""Which tasks the engine must not run: read when the service says that they are others."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta

from keyturn_contracts.workflow import SuspendedTask, SuspendedTasks

from keyturn_client.engine.journal import Who
from keyturn_client.http import Http, Parameters
from keyturn_client.pauses import Pauses
from keyturn_client.problems import KeyturnError, SuspendedError
from keyturn_client.replica.freshness import now

log = logging.getLogger("keyturn_client")

_PAGE = 5000
"""Tasks that are read at once."""
_READ_AGAIN_SECONDS = 15.0
"""So long after events last showed what holds, the service is asked instead."""


class Suspended:
    """The suspended tasks, as they were read last, and whether that is still what holds."""

    def __init__(
        self, http: Http, who: Who, max_age: timedelta, clock: Callable[[], float] = now
    ) -> None:
        """Take how old it may be; `clock` gives seconds."""
        self._http = http
        self._max_age = max_age.total_seconds()
        self._clock = clock
        self._known_at: float | None = None
        """When it was what held, as far as nothing else has been heard since."""
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
        return self._is_read and not self._is_too_old

    @property
    def age(self) -> timedelta | None:
        """How long ago it was known to be what holds; None: it was never read.

        It says nothing while what was heard, or doubted, since is still to be read: `is_known` is
        then False, whatever this is.
        """
        return timedelta(seconds=self._seconds) if self._answered else None

    @property
    def _is_read(self) -> bool:
        return self._doubts == self._answered and not self._heard

    @property
    def _is_too_old(self) -> bool:
        return self._seconds > self._max_age

    @property
    def _seconds(self) -> float:
        return float("inf") if self._known_at is None else self._clock() - self._known_at

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

    async def confirm(self, at: float) -> None:
        """Take that what was read, and heard since, was what held then."""
        self._known_at = max(at, self._known_at or at)
        async with self._changed:
            self._changed.notify_all()

    async def read(self) -> None:
        """Read the list; what was heard before is in it. Raises what `Http` raises."""
        heard, doubts, asked_at = dict(self._heard), self._doubts, self._clock()
        self._tasks, self._numbers = await self._read_pages()
        self._answered = doubts
        # What was heard meanwhile may be newer than the page on which it would stand.
        self._heard = {id_: one for id_, one in self._heard.items() if heard.get(id_) != one}
        await self.confirm(asked_at)

    async def work(self) -> None:
        """Read whenever something asks for it, or events show nothing, until cancelled."""
        pauses = Pauses()
        while True:
            if self._is_read and (left := _READ_AGAIN_SECONDS - self._seconds) > 0:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await self._wake.wait()
                continue
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
        """Raise a `SuspendedError` where a task of the workflow is suspended, or nobody knows.

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
        if not self._is_read_of(accounts):
            raise SuspendedError(
                "not_known",
                f"Workflow {workflow_id} is not run: which of its tasks are suspended is not known "
                "now, because the service could not be asked. Run it again later.",
            )
        if accounts and self._is_too_old:
            raise SuspendedError(
                "too_old",
                f"Workflow {workflow_id} is not run: which of its tasks are suspended was last "
                f"known more than {self._max_age:g} s ago. Look whether Kafka and the workflow "
                "service are reachable: the log `keyturn_client` says why they are not. Run it "
                "again when one of them is.",
            )

    def _knows(self, accounts: Collection[str]) -> bool:
        return not accounts or (self._is_read_of(accounts) and not self._is_too_old)

    def _is_read_of(self, accounts: Collection[str]) -> bool:
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
