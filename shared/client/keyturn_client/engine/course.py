"""The course of an epoch: it begins, the service learns the list, outcomes come, it ends."""

import asyncio
import functools
import logging
from collections.abc import Collection, Iterable

from keyturn_contracts.message import CommandApplied, CommandRefused
from keyturn_contracts.workflow import (
    EVERYTHING,
    BeginEpoch,
    BindingName,
    ConfirmRotation,
    EpochBegun,
    ListCompared,
    SaveWorkflows,
)

from keyturn_client.engine import journal
from keyturn_client.engine.book import Book
from keyturn_client.engine.journal import Entry
from keyturn_client.engine.judging import BeginAgain, Left, Stop, judge
from keyturn_client.engine.keeper import Keeper
from keyturn_client.engine.whole import Vanished, WholeLists, settle_vanished
from keyturn_client.pauses import Pauses
from keyturn_client.problems import EngineStoppedError

log = logging.getLogger("keyturn_client")

_BEGIN_AGAIN = functools.partial(Pauses, first=1.0, most=300.0)


class Course:
    """Takes outcomes in the order of the log, and begins a new epoch where that is needed."""

    def __init__(
        self, book: Book, keeper: Keeper, whole: WholeLists, vanished: Vanished | None
    ) -> None:
        self._book = book
        self._keeper = keeper
        self._whole = whole
        self._ask = vanished
        self._pauses = _BEGIN_AGAIN()
        self._turn = asyncio.Lock()
        self.vanished: dict[str, list[BindingName]] = {}
        """By account: what the service has on record, and nobody here can vouch for."""

    async def begin(self, above: int) -> None:
        """Begin a new epoch, above one that the service may have told."""
        async with self._turn:
            await self._begin(above)

    async def took(self, entry: Entry, outcome: CommandApplied | CommandRefused) -> bool:
        """Take an outcome; False where the epoch is another one after it."""
        async with self._turn:
            return await self._took(entry, outcome)

    async def vouch(self, workflow_ids: Collection[str]) -> None:
        """Say by name how these are; what they no longer have has no run left."""
        await self._book.write(journal.name, workflow_ids)
        await self.named(workflow_ids)

    async def named(self, workflow_ids: Collection[str]) -> None:
        """Confirm again where some of these had vanished: they have been named now."""
        named = set(workflow_ids)
        for account_id, left in list(self.vanished.items()):
            still = [one for one in left if one.workflow_id not in named]
            if len(still) < len(left):
                self.vanished[account_id] = still
                await self._keeper.listed([account_id], again=True)

    async def _begin(self, above: int) -> None:
        begun = await self._book.begin_epoch(above)
        self._keeper.epoch_begun()
        self._whole.epoch_begun()
        log.info("Epoch %d begins", begun.epoch)

    async def _took(self, entry: Entry, outcome: CommandApplied | CommandRefused) -> bool:
        judged = judge(entry, outcome, current_epoch=self._book.epoch)
        if isinstance(judged, Left):
            return False
        if isinstance(judged, Stop):
            raise EngineStoppedError(judged.reason, judged.sentence)
        if isinstance(judged, BeginAgain):
            log.warning("Number %d of epoch %d: %s", entry.number, entry.epoch, judged.why)
            if not judged.at_once:
                await asyncio.sleep(self._pauses.next())
            await self._begin(judged.above)
            return False
        await self._follow(entry, outcome, applied=judged.applied)
        return True

    async def _follow(
        self, entry: Entry, outcome: CommandApplied | CommandRefused, *, applied: bool
    ) -> None:
        saved: Iterable[str] = ()
        if entry.command_type == SaveWorkflows.type_name():
            saved = await self._book.read(journal.accounts_told, entry)
        await self._book.read(journal.settle, entry, applied=applied)
        if entry.command_type == BeginEpoch.type_name():
            await self._begun(EpochBegun.model_validate(outcome.details or {"list_wanted": True}))
        elif entry.command_type == ConfirmRotation.type_name():
            await self._keeper.confirmed(entry.command_id, outcome)
        elif (scope := self._whole.closes(entry.command_id)) is not None:
            await self._compared(scope, ListCompared.model_validate(outcome.details or {}))
        else:
            self._keeper.told(saved)

    async def _begun(self, begun: EpochBegun) -> None:
        await self._book.write(journal.resume, list_wanted=begun.list_wanted)
        if begun.list_wanted:
            self._whole.want(EVERYTHING)
        else:
            self._known()

    async def _compared(self, scope: str, compared: ListCompared) -> None:
        left = await settle_vanished(self._book, compared, self._keeper.runs.is_running, self._ask)
        self._note(scope, compared, left)
        if len(left) < len(compared.vanished) < compared.vanished_count:
            # The first hundred were named, and some of them are settled: the next ones.
            self._whole.want(scope)
            return
        touched = {one.account_id for one in (*compared.vanished, *compared.missing)}
        if scope == EVERYTHING:
            self._known()
            await self._keeper.listed(touched, again=True)
        else:
            await self._keeper.listed({scope}, again=scope in touched)

    def _known(self) -> None:
        self._pauses = _BEGIN_AGAIN()
        self._keeper.list_known()

    def _note(self, scope: str, compared: ListCompared, left: list[BindingName]) -> None:
        if scope == EVERYTHING:
            self.vanished.clear()
        self.vanished.pop(scope, None)
        for one in left:
            self.vanished.setdefault(one.account_id, []).append(one)
        if left:
            log.warning(
                "%d bindings are on record and not in this engine's list, the first of workflow "
                "%s: a run of them may still use an old credential. Save those that exist, and "
                "delete those of which no run is left.",
                compared.vanished_count,
                left[0].workflow_id,
            )
