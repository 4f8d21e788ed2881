"""Whatever is lost, repeated, refused or cut short, both sides end with the same list."""

import asyncio
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from keyturn_client.commands import Prepared, Signer
from keyturn_client.engine import journal, lists, whole
from keyturn_client.engine.book import Book
from keyturn_client.engine.course import Course
from keyturn_client.engine.journal import Entry
from keyturn_client.engine.keeper import Keeper
from keyturn_client.engine.vault import Vault
from keyturn_client.engine.whole import WholeLists
from keyturn_client.http import Http
from keyturn_client.settings import Services
from keyturn_contracts.keys import new_engine_sealing_key, new_signing_key
from keyturn_contracts.message import CommandRefused
from keyturn_contracts.sealing import Fetched
from keyturn_contracts.workflow import EVERYTHING, SavedWorkflow

from tests.client.given import BRAND, ENGINE, WHO, command_in, given_store, given_workflow
from tests.client.judge import Judge

NAMES = st.sampled_from(["w1", "w2", "w3", "w4"])
ACCOUNTS = st.lists(st.sampled_from(["mail", "crm"]), max_size=3)
OWNERS = st.sampled_from(["ada", "bob"])


class TwoLists(RuleBasedStateMachine):
    """An engine and the service, with a log between them that loses, repeats and lags."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="keyturn-log-")
        self.loop = asyncio.new_event_loop()
        self.judge = Judge()
        self.log: list[tuple[Entry, Prepared]] = []
        self.broken: list[str] = []
        # So that a list of a few workflows has parts.
        self.most_tasks, lists.MAX_TASKS = lists.MAX_TASKS, 3
        self.most_unsent, whole.MOST_UNSENT = whole.MOST_UNSENT, 1

    @initialize()
    def start(self) -> None:
        self.loop.run_until_complete(self._start())

    async def _start(self) -> None:
        self.book = Book(given_store(Path(self.folder.name)), WHO)
        signer = Signer.of_engine(new_signing_key(), brand=BRAND, engine_id=ENGINE)
        nowhere = Services(credential_vault="http://127.0.0.1:9", workflow="http://127.0.0.1:9")
        self.http = Http(nowhere, signer)
        self.whole = WholeLists(self.book)
        self.keeper = Keeper(
            book=self.book,
            vault=Vault(self.http, WHO, new_engine_sealing_key()),
            apply=_apply,
            let_go=None,
            want_list=self.whole.want,
        )
        self.course = Course(self.book, self.keeper, self.whole, None)
        await self.keeper.load()
        await self.course.begin(self.judge.epoch)
        self.lists = asyncio.create_task(self.whole.work())

    async def _stop(self) -> None:
        self.lists.cancel()
        await asyncio.gather(self.lists, return_exceptions=True)
        await self.http.close()
        self.book.close()

    def do(self, work: Any, *args: Any, **more: Any) -> Any:
        found = self.loop.run_until_complete(self.book.write(work, *args, **more))
        self._settle_loop()
        return found

    def _settle_loop(self) -> None:
        """Let the parts of whole lists be cut for which there is room."""

        async def turns() -> None:
            for _ in range(10):
                await self.book.read(journal.position)
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())

    @rule(name=NAMES, accounts=ACCOUNTS, owner=OWNERS)
    def save(self, name: str, accounts: list[str], owner: str) -> None:
        self.do(journal.save, [given_workflow(name, *accounts, owner=owner)])

    @rule(names=st.lists(NAMES, min_size=1, unique=True))
    def delete(self, names: list[str]) -> None:
        self.do(journal.delete, names)

    @rule()
    def confirm(self) -> None:
        """Where the service knows the whole list, no confirmation ever differs from it."""
        if self.keeper.is_ready:
            self.do(journal.confirm, account_id="mail", version=1, receipt="a" * 64, failed={})

    @rule(scope=st.sampled_from([EVERYTHING, "mail", "crm"]))
    def want_list(self, scope: str) -> None:
        self.whole.want(scope)
        self._settle_loop()

    @rule(most=st.integers(1, 4), lost_after=st.integers(0, 4), is_acknowledged=st.booleans())
    def send(self, most: int, lost_after: int, *, is_acknowledged: bool) -> None:
        """Send some: in doubt only the first arrive, in order, and all are sent again."""
        batch = self.loop.run_until_complete(
            self.book.read(journal.unsent, WHO, most=most, most_bytes=1 << 30)
        )
        if is_acknowledged:
            self.log += batch
            self.loop.run_until_complete(self.book.read(journal.sent, [one for one, _ in batch]))
            self.book.sent.set()
            self._settle_loop()
        else:
            self.log += batch[:lost_after]

    @precondition(lambda self: bool(self.log))
    @rule(most=st.integers(1, 6))
    def judge_some(self, most: int) -> None:
        for entry, prepared in self.log[:most]:
            outcome = self.judge.receive(
                prepared.id, entry.epoch, entry.number, command_in(prepared)
            )
            if isinstance(outcome, CommandRefused) and outcome.reason != "out_of_place":
                self.broken.append(outcome.reason)
        del self.log[:most]

    @rule(most=st.integers(1, 6))
    def hear_outcomes(self, most: int) -> None:
        self.loop.run_until_complete(self._hear(most))
        self._settle_loop()

    async def _hear(self, most: int) -> bool:
        entries = await self.book.read(journal.awaited, most=most)
        for entry in entries:
            outcome = self.judge.outcomes.get(entry.command_id)
            if outcome is None or not await self.course.took(entry, outcome):
                break
        return bool(entries)

    @rule()
    def send_all_again(self) -> None:
        self.loop.run_until_complete(self.book.read(journal.send_again))

    @rule()
    def restart(self) -> None:
        """Stop anywhere, and begin with what the file says."""
        self.loop.run_until_complete(self._stop())
        self.loop.run_until_complete(self._start())

    @rule()
    def begin_again(self) -> None:
        self.loop.run_until_complete(self.course.begin(0))

    def teardown(self) -> None:
        try:
            if hasattr(self, "book"):
                self._come_to_rest()
                self._compare()
        finally:
            lists.MAX_TASKS, whole.MOST_UNSENT = self.most_tasks, self.most_unsent
            if hasattr(self, "book"):
                self.loop.run_until_complete(self._stop())
            self.loop.close()
            self.folder.cleanup()

    def _come_to_rest(self) -> None:
        for _ in range(100):
            self._settle_loop()
            self.send(most=1000, lost_after=0, is_acknowledged=True)
            self.judge_some(most=1000)
            self.hear_outcomes(most=1000)
            is_settled = self.loop.run_until_complete(self.book.read(journal.is_settled))
            if is_settled and not self.log and self.whole.is_idle:
                return
        raise AssertionError("It never comes to rest.")

    def _compare(self) -> None:
        saved = self.loop.run_until_complete(self.book.read(_all))
        ours = {
            (task.account_id, id_, task.task_id)
            for id_, workflow in saved.items()
            for task in workflow.tasks
        }
        assert self.judge.record() == ours
        assert self.judge.vanished == set(), "all that went was said by name"
        assert {id_: self.judge.owners[id_] for id_ in saved} == {
            id_: workflow.owner for id_, workflow in saved.items()
        }
        assert self.keeper.is_ready
        assert self.broken == []


def _all(connection: sqlite3.Connection) -> dict[str, SavedWorkflow]:
    return lists.load(connection, lists.workflow_ids(connection, EVERYTHING))


async def _apply(credential: Fetched, workflows: object) -> None:
    """Have nothing to switch: no credential comes in this test."""


TestTwoLists = TwoLists.TestCase
TestTwoLists.settings = settings(max_examples=50, stateful_step_count=50, deadline=None)
