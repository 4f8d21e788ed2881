"""Keeps every account of an engine at its newest version, and confirms it: one step at a time."""

import asyncio
import functools
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from keyturn_contracts.message import CommandApplied, CommandRefused
from keyturn_contracts.sealing import Fetched

from keyturn_client.engine import journal, lists, memory
from keyturn_client.engine.accounts import Account, Kept, next_step
from keyturn_client.engine.applying import Apply, LetGo, Workflows
from keyturn_client.engine.book import Book
from keyturn_client.engine.hearing import News
from keyturn_client.engine.runs import Run, Runs
from keyturn_client.engine.vault import (
    MOST_AT_ONCE,
    Answer,
    Deleted,
    NotGiven,
    NotNow,
    Vault,
)
from keyturn_client.pauses import Pauses
from keyturn_client.problems import KeyturnError, NotAppliedError, WhyNoCredential

_FETCHES_AT_ONCE = 4
MOST_REASON = 500
"""Characters of a reason."""

log = logging.getLogger("keyturn_client")


@dataclass(frozen=True, slots=True)
class _Confirmation:
    account_id: str
    version: int
    failures: int


_A_CONFIRMATION = functools.partial(Kept.owe, owes="confirmation")


class Keeper:
    """The accounts of a running engine."""

    def __init__(
        self,
        *,
        book: Book,
        vault: Vault,
        apply: Apply,
        let_go: LetGo | None,
        want_list: Callable[[str], None],
    ) -> None:
        self.accounts: dict[str, Account] = {}
        self.runs = Runs()
        self.changed = asyncio.Condition()
        """Notified when an account holds something else, or is known to hold nothing."""
        self._book = book
        self._vault = vault
        self._apply = apply
        self._let_go = let_go
        self._want_list = want_list
        self.tasks = asyncio.TaskGroup()
        """Entered by who runs the engine: a step that fails in it ends the engine."""
        self.is_ready = False
        self._touched: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._confirmations: dict[str, _Confirmation] = {}
        self._pauses: dict[tuple[str, str], Pauses] = {}
        self._fetching = asyncio.Semaphore(_FETCHES_AT_ONCE)

    # What the rest of the engine tells it.

    async def load(self) -> None:
        """Read what is in the file, when the process starts."""
        for account_id, kept in (await self._book.read(memory.load_all)).items():
            self._account(account_id).kept = kept
        self.list_changed(await self._book.read(lists.holdings))

    def list_changed(self, bindings: Mapping[str, int]) -> None:
        for account_id, count in bindings.items():
            account = self._account(account_id)
            account.bindings = count
            account.told = account.told and count > 0
            self._touch(account_id)

    def epoch_begun(self) -> None:
        """Begin anew: nothing is done until the service knows the list."""
        self.is_ready = False
        self._confirmations.clear()
        for account in self.accounts.values():
            account.confirming = None
            account.told = False
            if account.listing:
                account.listing, account.refusals = False, 0

    def list_known(self) -> None:
        """Take it that the service has the whole list."""
        self.is_ready = True
        for account in self.accounts.values():
            account.told = account.bindings > 0
            self._touch(account.account_id)

    def told(self, account_ids: Iterable[str]) -> None:
        """Take it that the service has bindings of these."""
        for account_id in account_ids:
            account = self._account(account_id)
            account.told = account.bindings > 0
            self._touch(account_id)

    async def listed(self, account_ids: Iterable[str], *, again: bool) -> None:
        """Take it that whole lists were compared; `again`: something was named since."""
        for account_id in account_ids:
            account = self._account(account_id)
            account.listing = False
            if again or account.kept.owes == "list":
                await self._owe(account, Kept.listed)
            self.told([account_id])

    def hear(self, news: News) -> None:
        for account_id, kept in news.kept.items():
            account = self._account(account_id)
            account.asked_again |= kept.owes != "nothing" and kept.asked != account.kept.asked
            account.kept = kept
            self._touch(account_id)
        for account_id in news.bound:
            self._pauses.pop((account_id, "fetch"), None)
            self._account(account_id).fetch_at = 0.0
            self.told([account_id])
        for account_id in news.unbound:
            account = self._account(account_id)
            account.doubted = account.bindings > 0
            self._touch(account_id)

    async def report(self, account_id: str, failed: Mapping[str, str]) -> None:
        """Take these failures in place of all earlier ones of the account."""
        account = self._account(account_id)
        told = _short(failed)
        if told != account.failed:
            account.failed = told
            await self._owe(account)

    def run_ended(self, run: Run) -> None:
        self.runs.end(run)
        for account_id in run.credentials:
            self._touch(account_id)

    def held(self, account_id: str) -> Fetched | None:
        """Return what a run that begins now is given."""
        return self._account(account_id).held

    def why_not(self, account_id: str) -> WhyNoCredential | None:
        """Return why there is nothing to use of an account, or None where there is."""
        account = self._account(account_id)
        if account.held is not None:
            return None
        if account.is_gone:
            return "deleted"
        return "refused" if account.is_refused else "not_yet"

    @property
    def is_idle(self) -> bool:
        """Whether everything is done that can be done now."""
        return (
            self.is_ready
            and not self._touched
            and not any(
                one.busy or one.listing or one.confirming is not None
                for one in self.accounts.values()
            )
        )

    # One step after the other.

    async def work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not self.is_ready:
                continue
            touched, self._touched = self._touched, {}
            fetches = [one for one in touched if self._step(self._account(one)) == "fetch"]
            for first in range(0, len(fetches), MOST_AT_ONCE):
                self._spawn(self._fetch(fetches[first : first + MOST_AT_ONCE]))
            await self._tell_changed()

    def _step(self, account: Account) -> str:
        now = asyncio.get_running_loop().time()
        oldest = self.runs.oldest(account.account_id, besides=account.failed)
        step = next_step(account, oldest, now)
        if step == "fetch":
            account.busy = True
        elif step == "send_list":
            account.listing = True
            self._want_list(account.account_id)
        elif step == "let_go":
            account.busy = True
            self._spawn(self._drop(account))
        elif step == "confirm" and account.held is not None:
            self._confirm(account, account.held.version, account.held.receipt)
        elif step == "confirm_let_go":
            self._confirm(account, account.let_go_version, None)
        return step

    async def _fetch(self, account_ids: list[str]) -> None:
        try:
            async with self._fetching:
                answers = await self._vault.fetch(account_ids)
        except KeyturnError as error:
            answers = dict.fromkeys(account_ids, NotNow(str(error)))
        for account_id in account_ids:
            account = self._account(account_id)
            if not await self._take(account, answers[account_id]):
                account.busy = False
            self._touch(account_id)
        await self._tell_changed()

    async def _take(self, account: Account, answer: Answer) -> bool:
        """Take an answer of the vault; True where it is being applied from here on."""
        if isinstance(answer, NotNow):
            log.warning("No credential of %s for now: %s", account.account_id, answer.why)
            account.fetch_at = self._later(account, "fetch")
            return False
        if isinstance(answer, NotGiven):
            self._refused(account, answer.reason)
            return False
        account.refusals = 0
        account.doubted = False
        self._pauses.pop((account.account_id, "fetch"), None)
        if isinstance(answer, Deleted):
            account.deleted = answer.version
            account.kept = await self._heard(account, answer.version)
            return False
        if answer.version < account.kept.heard:
            # The floor: it was asked before the newer one was heard of.
            return False
        account.kept = await self._heard(account, answer.version)
        if account.held is not None and account.held.version == answer.version:
            account.held = answer
            return False
        self._spawn(self._switch(account, answer))
        return True

    def _refused(self, account: Account, reason: str) -> None:
        account.refusals += 1
        log.warning("The vault does not give %s to this engine: %s", account.account_id, reason)
        if account.refusals == 1:
            account.listing = True
            self._want_list(account.account_id)
        else:
            account.fetch_at = self._later(account, "fetch")

    async def _switch(self, account: Account, version: Fetched) -> None:
        workflows = Workflows(account.account_id, account.bindings, self._book)
        try:
            failed = await self._apply(version, workflows)
        except NotAppliedError as error:
            log.warning("Version %d of %s: %s", version.version, account.account_id, error)
            account.fetch_at = self._later(account, "apply")
        else:
            self._pauses.pop((account.account_id, "apply"), None)
            account.held = version
            account.failed = _short(failed or {})
            # The file knows how many failed, and not who: names may be others with the same number.
            if account.failed or account.kept.failures:
                await self._owe(account)
        account.busy = False
        self._touch(account.account_id)
        await self._tell_changed()

    async def _drop(self, account: Account) -> None:
        account.held = None
        if self._let_go is not None:
            await self._let_go(account.account_id)
        account.busy = False
        self._touch(account.account_id)
        await self._tell_changed()

    def _confirm(self, account: Account, version: int, receipt: str | None) -> None:
        account.confirming = "on its way"
        account.asked_again = False
        # As it was decided on: a failure that is settled meanwhile is the next confirmation's.
        failed = dict(account.failed)
        self._spawn(self._send_confirmation(account, version, receipt, failed))

    async def _send_confirmation(
        self, account: Account, version: int, receipt: str | None, failed: Mapping[str, str]
    ) -> None:
        entry = await self._book.write(
            journal.confirm,
            account_id=account.account_id,
            version=version,
            receipt=receipt,
            failed=failed,
        )
        account.confirming = entry.command_id
        self._confirmations[entry.command_id] = _Confirmation(
            account.account_id, version, len(failed)
        )

    async def confirmed(self, command_id: str, outcome: CommandApplied | CommandRefused) -> None:
        """Take the outcome of a confirmation."""
        said = self._confirmations.pop(command_id, None)
        if said is None:
            return
        account = self._account(said.account_id)
        account.confirming = None
        if isinstance(outcome, CommandApplied):
            self._pauses.pop((account.account_id, "confirm"), None)
            await self._change(
                account,
                functools.partial(
                    Kept.confirm,
                    version=said.version,
                    failures=said.failures,
                    settles=not account.asked_again,
                ),
            )
        else:
            log.warning(
                "Version %d of %s is not confirmed yet, %s: %s",
                said.version,
                account.account_id,
                outcome.reason,
                outcome.message,
            )
            account.confirm_at = self._later(account, "confirm")
            account.doubted |= outcome.reason == "receipt_wrong"
            differs = outcome.reason == "list_differs"
            await self._change(
                account, functools.partial(Kept.owe, owes="list" if differs else "confirmation")
            )
        self._touch(account.account_id)

    # The rest.

    async def _owe(
        self,
        account: Account,
        changed: Callable[[Kept], Kept] = _A_CONFIRMATION,
    ) -> None:
        account.asked_again = True
        await self._change(account, changed)
        self._touch(account.account_id)

    async def _heard(self, account: Account, version: int) -> Kept:
        return await self._change(account, functools.partial(Kept.hear, version=version))

    async def _change(self, account: Account, changed: Callable[[Kept], Kept]) -> Kept:
        account.kept = await self._book.read(memory.change, account.account_id, changed)
        return account.kept

    def _account(self, account_id: str) -> Account:
        return self.accounts.setdefault(account_id, Account(account_id=account_id))

    def _touch(self, account_id: str) -> None:
        self._touched[account_id] = None
        self._wake.set()

    def _later(self, account: Account, what: str) -> float:
        """Return when to try again; the account is looked at then."""
        pause = self._pauses.setdefault((account.account_id, what), Pauses()).next()
        loop = asyncio.get_running_loop()
        loop.call_later(pause, self._touch, account.account_id)
        return loop.time() + pause

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.create_task(work)

    async def _tell_changed(self) -> None:
        async with self.changed:
            self.changed.notify_all()


def _short(failed: Mapping[str, str]) -> dict[str, str]:
    """Cut reasons to what a message may carry."""
    return {id_: why.replace("\x00", "?")[:MOST_REASON] for id_, why in failed.items()}
