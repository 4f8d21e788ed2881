"""A workflow engine: its workflows, the runs of them, and the credentials that they use."""

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Never, Self

from keyturn_contracts.workflow import BindingName, SavedWorkflow, SuspendedTask

from keyturn_client.background import Background
from keyturn_client.engine import journal, lists
from keyturn_client.engine.applying import Apply, LetGo
from keyturn_client.engine.parts import Parts
from keyturn_client.engine.runs import Run
from keyturn_client.engine.whole import Vanished
from keyturn_client.problems import WhyNoCredential
from keyturn_client.settings import EngineSettings

log = logging.getLogger("keyturn_client")

_A_WHILE = timedelta(seconds=30)
_LOOK_AGAIN = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatus:
    """Where one account stands with this engine."""

    bindings: int
    heard: int
    """The newest version heard of; 0 before any."""
    version: int | None
    """The version that new runs are given."""
    why_not: WhyNoCredential | None
    """Why they are given none."""
    confirmed: int
    failed: int
    """How many workflows are reported as failed."""
    vanished: tuple[BindingName, ...]
    """On record and not in this engine's list, the first of them: save or delete each."""
    suspended: tuple[SuspendedTask, ...]
    """Tasks whose workflows are not run, and why each may not use the account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStatus:
    """Where this engine stands."""

    epoch: int
    is_suspended_known: bool
    """Whether `suspended` is what holds. If not, it is being read again, and no run of what it may
    be about begins."""
    suspended_age: timedelta | None
    """How long ago it was known to be what holds; None: never yet."""
    accounts: Mapping[str, AccountStatus]


class Engine:
    """An engine that confirms. Use it as `async with Engine(settings, apply) as engine:`.

    Entering it begins a new epoch; from then on it hears of rotations, fetches, has `apply` switch,
    confirms, and tells the service of the workflows. When it must not go on, the body is cancelled
    and the `EngineStoppedError` raised; what `apply` raises, besides `NotAppliedError`, likewise.
    """

    def __init__(
        self,
        settings: EngineSettings,
        apply: Apply,
        *,
        let_go: LetGo | None = None,
        vanished: Vanished | None = None,
    ) -> None:
        """Take what is the engine's own.

        `let_go` forgets what it keeps of an account. `vanished` says of which workflows, on record
        and not in the list, no run is left anywhere.
        """
        self._make = functools.partial(Parts, settings, apply, let_go=let_go, vanished=vanished)
        self._made: Parts | None = None
        self._background = Background()
        self._leaving: set[str] = set()

    async def __aenter__(self) -> Self:
        self._made = self._make()
        try:
            await self._made.open()
        except BaseException:
            await self._made.close()
            raise
        await self._background.begin(self._parts.work())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._background.end(error)
        finally:
            await self._parts.close()

    @property
    def _parts(self) -> Parts:
        if self._made is None:
            raise RuntimeError("Use the engine as `async with Engine(…) as engine:`.")
        return self._made

    async def serve(self) -> Never:
        """Go on until something ends it."""
        while True:
            await asyncio.Event().wait()

    # The list.

    async def save(self, workflows: Iterable[SavedWorkflow]) -> None:
        """Save workflows, each in place of what it was; what is the same costs no message.

        When this returns they are on this engine's disk and will be told. A ValueError where one
        is too large for a message.
        """
        for part in lists.in_messages(workflows):
            await self._save(part)

    async def _save(self, part: list[SavedWorkflow]) -> None:
        self._leaving.difference_update(one.workflow_id for one in part)
        changed = await self._parts.book.write(journal.save, part)
        await self._list_changed(changed)

    async def delete(self, workflow_ids: Iterable[str]) -> None:
        """Delete workflows by name, whether this engine has them or only the service.

        One with runs under way is deleted when the last of them ends. Deleting says that no run of
        it is left anywhere.
        """
        for part in lists.ids_in_messages(workflow_ids):
            running = {one for one in part if self._parts.keeper.runs.is_running(one)}
            self._leaving |= running
            if ended := [one for one in part if one not in running]:
                changed = await self._parts.book.write(journal.delete, ended)
                await self._list_changed(changed)
                await self._parts.course.named(ended)

    async def sync(self, workflows: Iterable[SavedWorkflow]) -> None:
        """Make the list what is given: save those, and delete by name what is not among them."""
        named: list[str] = []
        for part in lists.in_messages(workflows):
            named.extend(one.workflow_id for one in part)
            await self._save(part)
        await self.delete(await self._parts.book.read(lists.absent, named))

    async def vouch(self, workflow_ids: Iterable[str]) -> None:
        """Say that no run is left of what the service has on record and the list has not.

        For workflows that `status` names as vanished; they are then saved or deleted by name.
        """
        for part in lists.ids_in_messages(workflow_ids):
            await self._parts.course.vouch(part)

    # Runs.

    @contextlib.asynccontextmanager
    async def run(self, workflow_id: str, *, wait: timedelta = _A_WHILE) -> AsyncGenerator[Run]:
        """Run a workflow with the credentials that are current now, and keep them to its end.

        Waits for accounts of which the vault has not answered since this process started. A
        `SuspendedError` where one of its tasks is suspended, or where that is not known now.
        """
        accounts = await self._parts.book.read(lists.accounts_of, workflow_id)
        # First what is waited for: of what was just added, news that it may be used is on its way.
        await self._answered(accounts, wait)
        suspended = self._parts.suspended
        await suspended.known(accounts, wait)
        suspended.check(workflow_id, accounts)
        keeper = self._parts.keeper
        held = {one: keeper.held(one) for one in accounts}
        run = Run(
            workflow_id=workflow_id,
            credentials={one: found for one, found in held.items() if found is not None},
            missing={one: why for one in accounts if (why := keeper.why_not(one)) is not None},
        )
        keeper.runs.begin(run)
        try:
            yield run
        finally:
            keeper.run_ended(run)
            if workflow_id in self._leaving and not keeper.runs.is_running(workflow_id):
                self._leaving.discard(workflow_id)
                await self.delete([workflow_id])

    async def _answered(self, accounts: Collection[str], wait: timedelta) -> None:
        keeper = self._parts.keeper
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait.total_seconds()), keeper.changed:
                await keeper.changed.wait_for(
                    lambda: all(keeper.why_not(one) != "not_yet" for one in accounts)
                )

    # Failures.

    async def report_failed(self, account_id: str, failed: Mapping[str, str]) -> None:
        """Report that workflows cannot use the account's newest version, and why.

        The reasons go to Keyturn and to people: no secret belongs in them.
        """
        account = self._parts.keeper.accounts.get(account_id)
        before = account.failed if account else {}
        await self._parts.keeper.report(account_id, {**before, **failed})

    async def report_recovered(self, account_id: str, workflow_ids: Collection[str]) -> None:
        """Report that workflows which had failed can use it now."""
        account = self._parts.keeper.accounts.get(account_id)
        before = account.failed if account else {}
        left = {id_: why for id_, why in before.items() if id_ not in workflow_ids}
        await self._parts.keeper.report(account_id, left)

    # Where it stands.

    def status(self) -> EngineStatus:
        parts = self._parts
        suspended = parts.suspended.by_account()
        return EngineStatus(
            epoch=parts.book.epoch,
            is_suspended_known=parts.suspended.is_known,
            suspended_age=parts.suspended.age,
            accounts={
                id_: AccountStatus(
                    bindings=one.bindings,
                    heard=one.kept.heard,
                    version=one.held.version if one.held else None,
                    why_not=parts.keeper.why_not(id_),
                    confirmed=one.kept.confirmed,
                    failed=len(one.failed),
                    vanished=tuple(parts.course.vanished.get(id_, ())),
                    suspended=suspended.get(id_, ()),
                )
                for id_, one in parts.keeper.accounts.items()
            },
        )

    async def settled(self) -> None:
        """Wait until the service has answered all that was told it, and nothing is left to do."""
        parts = self._parts
        while not await parts.is_settled():  # noqa: ASYNC110  many things change it, none tells
            await asyncio.sleep(_LOOK_AGAIN)

    async def _list_changed(self, bindings: Mapping[str, int]) -> None:
        keeper = self._parts.keeper
        keeper.list_changed(bindings)
        for account_id in bindings:
            if failed := keeper.accounts[account_id].failed:
                using = await self._parts.book.read(lists.load, list(failed), account_id)
                left = {
                    id_: why for id_, why in failed.items() if id_ in using and using[id_].tasks
                }
                await keeper.report(account_id, left)
