"""An engine's accounts, kept at their newest version against a vault over real HTTP."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from keyturn_client.commands import Signer
from keyturn_client.engine import journal, lists, memory
from keyturn_client.engine.accounts import Kept
from keyturn_client.engine.applying import Workflows
from keyturn_client.engine.book import Book
from keyturn_client.engine.hearing import News
from keyturn_client.engine.keeper import Keeper
from keyturn_client.engine.runs import Run
from keyturn_client.engine.vault import Vault
from keyturn_client.http import Http
from keyturn_client.problems import NotAppliedError
from keyturn_client.settings import Services
from keyturn_contracts.keys import new_engine_sealing_key, new_signing_key
from keyturn_contracts.message import CommandApplied, CommandRefused
from keyturn_contracts.sealing import Fetched
from keyturn_contracts.workflow import ConfirmRotation

from tests.client.given import BRAND, ENGINE, WHO, given_store, given_workflow, unsent
from tests.client.stand_in import StandIn, standing_in
from tests.waiting import eventually


@dataclass
class Given:
    """A keeper of one bound account, `mail`, that the service knows of."""

    book: Book
    vault: StandIn
    keeper: Keeper = field(init=False)
    applied: list[int] = field(default_factory=list[int])
    workflows: list[str] = field(default_factory=list[str])
    let_go: list[str] = field(default_factory=list[str])
    lists: list[str] = field(default_factory=list[str])
    failing: Mapping[str, str] = field(default_factory=dict[str, str])
    refusing: list[int] = field(default_factory=list[int])
    """Versions that cannot be applied at all."""

    async def apply(self, credential: Fetched, workflows: Workflows) -> Mapping[str, str]:
        if credential.version in self.refusing:
            raise NotAppliedError("the pool is gone")
        self.applied.append(credential.version)
        self.workflows = [one async for one in workflows]
        return self.failing

    async def drop(self, account_id: str) -> None:
        self.let_go.append(account_id)

    async def hear(self, version: int) -> None:
        kept = await self.book.read(memory.change, "mail", lambda kept: kept.hear(version))
        self.keeper.hear(News(kept={"mail": kept}))

    async def confirmation(self) -> ConfirmRotation:
        """Return the confirmation that is on its way."""

        async def find() -> list[ConfirmRotation]:
            rows = await self.book.read(unsent)
            return [one for _, one in rows if isinstance(one, ConfirmRotation)]

        (found,) = await eventually(find)
        return found

    async def outcome(self, outcome: CommandApplied | CommandRefused) -> None:
        """Have the service answer that confirmation."""
        rows = await self.book.read(unsent)
        (entry,) = [entry for entry, one in rows if isinstance(one, ConfirmRotation)]
        await self.book.read(journal.settle, entry, applied=True)
        await self.keeper.confirmed(entry.command_id, outcome)

    async def accept(self) -> ConfirmRotation:
        found = await self.confirmation()
        await eventually(lambda: self.keeper.accounts["mail"].confirming != "on its way")
        await self.outcome(CommandApplied(command="ConfirmRotation", changed=True))
        return found


@asynccontextmanager
async def given_keeper(folder: Path, kept: Kept | None = None) -> AsyncGenerator[Given]:
    key = new_engine_sealing_key()
    book = Book(given_store(folder), WHO)
    signer = Signer.of_engine(new_signing_key(), brand=BRAND, engine_id=ENGINE)
    async with standing_in(key) as vault:
        http = Http(Services(credential_vault=vault.url, workflow=vault.url), signer)
        given = Given(book, vault)
        given.keeper = Keeper(
            book=book,
            vault=Vault(http, WHO, key),
            apply=given.apply,
            let_go=given.drop,
            want_list=given.lists.append,
        )
        workflows = [given_workflow("w1", "mail"), given_workflow("w2", "mail")]
        try:
            await book.begin_epoch(0)
            await book.write(journal.save, workflows)
            if kept is not None:
                await book.read(memory.change, "mail", lambda _: kept)
            await given.keeper.load()
            async with asyncio.TaskGroup() as tasks:
                given.keeper.tasks = tasks
                working = tasks.create_task(given.keeper.work())
                yield given
                working.cancel()
        finally:
            await http.close()
            book.close()


async def test_a_bound_account_is_fetched_applied_and_confirmed_with_its_receipt(
    tmp_path: Path,
) -> None:
    async with given_keeper(tmp_path) as given:
        given.vault.holds(1, receipt="b" * 64)
        given.keeper.list_known()
        found = await given.accept()
        held = await given.book.read(lists.standing, "mail")
    assert (given.applied, given.workflows) == ([1], ["w1", "w2"])
    assert (found.version, found.holds, found.receipt) == (1, True, "b" * 64)
    assert (found.count, found.digest, found.failed_count) == (2, held.digest, 0)


async def test_the_floor_an_answer_older_than_what_was_heard_meanwhile_is_never_applied(
    tmp_path: Path,
) -> None:
    async with given_keeper(tmp_path) as given:
        given.vault.holds(1)
        given.keeper.list_known()
        await given.accept()
        given.vault.let_through.clear()
        given.vault.holds(2)
        await given.hear(2)
        # The vault has made its answer, version 2, and it is held back on its way.
        await eventually(lambda: len(given.vault.asked) == 2)
        given.vault.holds(3)
        await given.hear(3)
        given.vault.let_through.set()
        found = await given.accept()
    assert given.applied == [1, 3]
    assert found.version == 3


async def test_after_a_restart_the_vault_is_asked_and_what_was_confirmed_is_not_confirmed_again(
    tmp_path: Path,
) -> None:
    async with given_keeper(tmp_path, Kept(heard=3, confirmed=3)) as given:
        given.vault.holds(3)
        assert given.keeper.why_not("mail") == "not_yet"
        given.keeper.list_known()
        await eventually(lambda: given.keeper.is_idle and given.applied == [3])
        assert [type(one).__name__ for _, one in await given.book.read(unsent)] == [
            "BeginEpoch",
            "SaveWorkflows",
        ]


async def test_failures_of_an_earlier_process_are_settled_by_a_confirmation(tmp_path: Path) -> None:
    async with given_keeper(tmp_path, Kept(heard=3, confirmed=3, failures=2)) as given:
        given.vault.holds(3)
        given.keeper.list_known()
        assert (await given.accept()).failed_count == 0


async def test_nothing_is_confirmed_while_a_run_holds_an_older_version(tmp_path: Path) -> None:
    async with given_keeper(tmp_path) as given:
        given.vault.holds(1)
        given.keeper.list_known()
        await given.accept()
        held = given.keeper.accounts["mail"].held
        assert held is not None
        run = Run(workflow_id="w1", credentials={"mail": held}, missing={})
        given.keeper.runs.begin(run)
        given.vault.holds(2)
        await given.hear(2)
        await eventually(lambda: given.keeper.is_idle and given.applied == [1, 2])
        assert run.credential("mail").version == 1
        assert not any(isinstance(one, ConfirmRotation) for _, one in await given.book.read(unsent))
        given.keeper.run_ended(run)
        assert (await given.confirmation()).version == 2


async def test_failures_are_named_and_their_runs_hold_nothing_up(tmp_path: Path) -> None:
    async with given_keeper(tmp_path) as given:
        given.vault.holds(1)
        given.keeper.list_known()
        await given.accept()
        held = given.keeper.accounts["mail"].held
        assert held is not None
        run = Run(workflow_id="w1", credentials={"mail": held}, missing={})
        given.keeper.runs.begin(run)
        given.failing = {"w1": "it has no such box"}
        given.vault.holds(2)
        await given.hear(2)
        found = await given.accept()
        assert [(one.workflow_id, one.reason) for one in found.failed] == [
            ("w1", "it has no such box")
        ]
        # It confirms again whenever its failures change, once nothing of the old version runs.
        await given.keeper.report("mail", {})
        given.keeper.run_ended(run)
        assert (await given.accept()).failed == ()
        await given.keeper.report("mail", {})
        assert given.keeper.accounts["mail"].kept.owes == "nothing"


async def test_a_confirmation_names_the_failures_that_it_was_decided_on(tmp_path: Path) -> None:
    async with given_keeper(tmp_path) as given:
        given.failing = {"w1": "it has no such box"}
        given.vault.holds(1)
        given.keeper.list_known()
        await given.accept()
        account = given.keeper.accounts["mail"]
        assert account.held is not None
        given.keeper._confirm(account, 1, account.held.receipt)  # pyright: ignore[reportPrivateUsage]  the moment between
        account.failed = {}

        assert [one.workflow_id for one in (await given.confirmation()).failed] == ["w1"]


async def test_what_cannot_be_applied_is_tried_again_and_not_confirmed(tmp_path: Path) -> None:
    async with given_keeper(tmp_path) as given:
        given.vault.holds(1)
        given.keeper.list_known()
        await given.accept()
        given.refusing.append(2)
        given.vault.holds(2)
        await given.hear(2)
        await eventually(lambda: len(given.vault.asked) >= 3)
        held = given.keeper.accounts["mail"].held
        assert held is not None
        assert held.version == 1
        given.refusing.clear()
        assert (await given.confirmation()).version == 2


async def test_a_refused_fetch_is_answered_with_the_list_and_then_lets_go(tmp_path: Path) -> None:
    async with given_keeper(tmp_path) as given:
        given.vault.holds(1)
        given.keeper.list_known()
        await given.accept()
        given.vault.refuses()
        await given.hear(2)
        await eventually(lambda: given.lists == ["mail"])
        assert given.let_go == []
        await given.keeper.listed(["mail"], again=False)
        found = await given.accept()
        assert given.let_go == ["mail"]
        assert given.keeper.why_not("mail") == "refused"
        assert (found.version, found.holds, found.receipt, found.count) == (2, False, None, 2)
        # It asks again later, and takes what it is given.
        given.vault.holds(2)
        await eventually(lambda: given.applied == [1, 2])
        assert given.lists == ["mail"]


async def test_what_may_be_fetched_again_is_fetched_at_once(tmp_path: Path) -> None:
    async with given_keeper(tmp_path) as given:
        given.vault.refuses()
        given.keeper.list_known()
        await eventually(lambda: given.lists == ["mail"])
        await given.keeper.listed(["mail"], again=False)
        await eventually(lambda: given.keeper.why_not("mail") == "refused")
        given.keeper.accounts["mail"].fetch_at = float("inf")
        given.vault.holds(1)
        given.keeper.hear(News(bound={"mail"}))
        assert (await given.confirmation()).version == 1


async def test_access_that_was_taken_away_is_noticed_although_no_version_is_newer(
    tmp_path: Path,
) -> None:
    async with given_keeper(tmp_path) as given:
        given.vault.holds(1)
        given.keeper.list_known()
        await given.accept()
        given.vault.refuses()
        given.keeper.hear(News(unbound={"mail"}))
        await eventually(lambda: given.lists == ["mail"])
        await given.keeper.listed(["mail"], again=False)
        await eventually(lambda: given.let_go == ["mail"])


async def test_a_deleted_account_is_let_go_and_confirmed(tmp_path: Path) -> None:
    async with given_keeper(tmp_path) as given:
        given.vault.holds(1)
        given.keeper.list_known()
        await given.accept()
        given.vault.has_deleted(2)
        await given.hear(2)
        found = await given.confirmation()
        assert given.let_go == ["mail"]
        assert given.keeper.why_not("mail") == "deleted"
        assert (found.version, found.holds) == (2, False)


async def test_letting_go_with_the_last_binding(tmp_path: Path) -> None:
    async with given_keeper(tmp_path) as given:
        given.vault.holds(1)
        given.keeper.list_known()
        await given.accept()
        given.keeper.list_changed(await given.book.write(journal.delete, ["w1", "w2"]))
        await eventually(lambda: given.let_go == ["mail"])
        kept = Kept(heard=1, confirmed=1).be_asked((1, 2, 1), vanished=False)
        await given.book.read(memory.change, "mail", lambda _: kept)
        given.keeper.hear(News(kept={"mail": kept}))
        found = await given.confirmation()
        assert (found.version, found.holds, found.count) == (2, False, 0)


async def test_list_differs_is_answered_with_the_list_and_a_confirmation_after_it(
    tmp_path: Path,
) -> None:
    async with given_keeper(tmp_path) as given:
        given.vault.holds(1)
        given.keeper.list_known()
        await given.confirmation()
        await eventually(lambda: given.keeper.accounts["mail"].confirming != "on its way")
        refused = CommandRefused(command="It", reason="list_differs", message="No.")
        await given.outcome(refused)
        await eventually(lambda: given.lists == ["mail"])
        await given.keeper.listed(["mail"], again=True)
        assert (await given.accept()).version == 1


async def test_a_wrong_receipt_is_fetched_again(tmp_path: Path) -> None:
    async with given_keeper(tmp_path) as given:
        given.vault.holds(1, receipt="b" * 64)
        given.keeper.list_known()
        await given.confirmation()
        await eventually(lambda: given.keeper.accounts["mail"].confirming != "on its way")
        given.vault.holds(1, receipt="c" * 64)
        await given.outcome(CommandRefused(command="It", reason="receipt_wrong", message="No."))
        assert (await given.confirmation()).receipt == "c" * 64
        assert given.applied == [1]


async def test_what_is_asked_while_a_confirmation_is_under_way_is_answered_after_it(
    tmp_path: Path,
) -> None:
    async with given_keeper(tmp_path) as given:
        given.vault.holds(1)
        given.keeper.list_known()
        await given.confirmation()
        kept = await given.book.read(
            memory.change, "mail", lambda kept: kept.be_asked((1, 1, 2), vanished=False)
        )
        given.keeper.hear(News(kept={"mail": kept}))
        await given.accept()
        await given.accept()
        await eventually(lambda: given.keeper.is_idle)
        assert given.keeper.accounts["mail"].kept.owes == "nothing"


async def test_a_new_epoch_confirms_again_what_had_no_outcome(tmp_path: Path) -> None:
    async with given_keeper(tmp_path) as given:
        given.vault.holds(1)
        given.keeper.list_known()
        await given.confirmation()
        await given.book.begin_epoch(0)
        given.keeper.epoch_begun()
        assert await given.book.read(unsent)
        given.keeper.list_known()
        assert (await given.accept()).version == 1
