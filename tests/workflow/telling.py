"""What engines say in a random order, and what they believe themselves: one half of a property."""

import asyncio
from collections.abc import Coroutine
from itertools import count
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)
from keyturn_contracts.ids import new_id
from keyturn_contracts.message import Command, CommandApplied, CommandRefused
from keyturn_contracts.workflow import (
    ConfirmRotation,
    DeleteWorkflows,
    EpochBegun,
    ListCompared,
    ListPart,
    SavedTask,
    SavedWorkflow,
    SaveWorkflows,
)

from services.workflow.handlers import handlers
from shared.messaging.batch import Message, apply_batch
from tests.batches import Database
from tests.workflow.given import GivenEngine, fetched, licence_news, utc_now
from tests.workflow.reference import Task, Told, digest_of

T = TypeVar("T")
Outcome = CommandApplied | CommandRefused

ENGINES = ("e1", "e2")
ACCOUNTS = ("mail", "chat", "sms")
WORKFLOWS = ("w1", "w2")
PEOPLE = ("ada", "bob")

engines = st.sampled_from(ENGINES)
accounts = st.sampled_from(ACCOUNTS)
workflow_ids = st.sampled_from(WORKFLOWS)
people = st.sampled_from(PEOPLE)
task_sets = st.sets(st.tuples(accounts, st.sampled_from(("a", "b"))), max_size=4)
scopes = st.sampled_from(("everything", *ACCOUNTS))

_brands = count()


class Account:
    """What the vault has told of one account."""

    def __init__(self) -> None:
        self.version = 0
        self.sequence = 0
        self.is_deleted = False
        self.holders: set[str] = set()


class OwnList:
    """What an engine believes that it holds."""

    def __init__(self) -> None:
        self.workflows: dict[str, tuple[str, set[tuple[str, str]]]] = {}

    def tasks(self, account_id: str | None = None) -> set[Task]:
        return {
            (account, workflow_id, task_id)
            for workflow_id, (_, tasks) in self.workflows.items()
            for account, task_id in tasks
            if account_id in {None, account}
        }

    def copy(self) -> "OwnList":
        other = OwnList()
        other.workflows = {
            one: (owner, set(tasks)) for one, (owner, tasks) in self.workflows.items()
        }
        return other


class Listing:
    """A whole list that an engine is telling."""

    def __init__(self, scope: str, on_record: set[Task], left: list[str]) -> None:
        self.id = new_id()
        self.scope = scope
        self.on_record = on_record
        """What was on record before part 1, and nothing has named since."""
        self.missing: set[Task] = set()
        self.left = left
        self.part = 1


class Telling(RuleBasedStateMachine):
    runner: ClassVar[asyncio.Runner]
    database: ClassVar[Database]

    def __init__(self) -> None:
        super().__init__()
        self.brand = f"brand{next(_brands)}"
        self.steps: int = 0
        self.licences = 0
        self.is_licensed = False
        self.completed: set[tuple[str, int]] = set()
        self.accounts: dict[str, Account] = {}
        self.engines = {one: GivenEngine(one, brand=self.brand, clock=utc_now) for one in ENGINES}
        self.told = {one: Told() for one in ENGINES}
        self.own = {one: OwnList() for one in ENGINES}
        self.old = {one: OwnList() for one in ENGINES}
        self.listing: dict[str, Listing | None] = dict.fromkeys(ENGINES)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def _apply(self, *messages: Message) -> list[Outcome]:
        async with self.database.writer.begin() as connection:
            batch = await apply_batch(connection, handlers, messages)
        assert batch.held == []
        return [outcome for _, outcome in batch.answers]

    def tell(self, engine_id: str, command: Command) -> Outcome:
        [outcome] = self.run(self._apply(self.engines[engine_id].next(command)))
        return outcome

    def applied(self, engine_id: str, command: Command) -> CommandApplied:
        outcome = self.tell(engine_id, command)
        assert isinstance(outcome, CommandApplied), outcome
        return outcome

    @initialize()
    def register(self) -> None:
        self.license(is_licensed=True)
        self.begin_access()
        for one in self.engines.values():
            self.run(self._apply(one.registered(), one.begin()))
        # The third account's news comes when it comes.
        for account_id in ("mail", "chat"):
            self.rotate(account_id, set(ENGINES))

    def rotate(self, account_id: str, holders: set[str]) -> None:
        """Have the vault tell of an account's next version."""
        raise NotImplementedError

    def begin_access(self) -> None:
        """Have what decides about access be told for the first time."""
        raise NotImplementedError

    def license(self, *, is_licensed: bool) -> None:
        """Have the catalog tell whether the brand may use the accounts' extension."""
        self.is_licensed = is_licensed
        self.licences += 1
        extension = "smtp-relay" if is_licensed else "another"
        self.run(self._apply(licence_news(extension, sequence=self.licences, brand=self.brand)))

    # What engines say.

    def _saved(self, engine_id: str, workflow_id: str, scope: str = "everything") -> SavedWorkflow:
        owner, tasks = self.own[engine_id].workflows[workflow_id]
        return SavedWorkflow(
            workflow_id=workflow_id,
            name=workflow_id,
            owner=owner,
            tasks=tuple(
                SavedTask(task_id=task_id, account_id=account_id)
                for account_id, task_id in sorted(tasks)
                if scope in {"everything", account_id}
            ),
        )

    def _name(self, engine_id: str, workflow_id: str) -> None:
        """Note for the list that is being told: what is named now does not vanish by it."""
        listing = self.listing[engine_id]
        if listing is not None:
            named = {one for one in self.told[engine_id].tasks if one[1] == workflow_id}
            listing.on_record -= named

    @rule(engine_id=engines, workflow_id=workflow_ids, owner=people, tasks=task_sets)
    def save(
        self, engine_id: str, workflow_id: str, owner: str, tasks: set[tuple[str, str]]
    ) -> None:
        self.own[engine_id].workflows[workflow_id] = (owner, tasks)
        saved = self._saved(engine_id, workflow_id)
        self.applied(engine_id, SaveWorkflows(engine_id=engine_id, workflows=(saved,)))
        self._name(engine_id, workflow_id)
        self.told[engine_id].save(workflow_id, owner, tasks)

    @rule(engine_id=engines, workflow_id=workflow_ids)
    def delete(self, engine_id: str, workflow_id: str) -> None:
        self.own[engine_id].workflows.pop(workflow_id, None)
        command = DeleteWorkflows(engine_id=engine_id, workflow_ids=(workflow_id,))
        self.applied(engine_id, command)
        self._name(engine_id, workflow_id)
        self.told[engine_id].delete(workflow_id)

    @rule(engine_id=engines, workflow_id=workflow_ids)
    def forget_without_a_word(self, engine_id: str, workflow_id: str) -> None:
        self.own[engine_id].workflows.pop(workflow_id, None)

    @rule(engine_id=engines)
    def keep_a_copy(self, engine_id: str) -> None:
        self.old[engine_id] = self.own[engine_id].copy()

    @rule(engine_id=engines)
    def come_back_from_the_old_copy(self, engine_id: str) -> None:
        self.own[engine_id] = self.old[engine_id].copy()
        self.restart(engine_id)

    @rule(engine_id=engines)
    def restart(self, engine_id: str) -> None:
        tasks = self.own[engine_id].tasks()
        begin = self.engines[engine_id].begin(len(tasks), digest_of(tasks))
        [outcome] = self.run(self._apply(begin))
        assert isinstance(outcome, CommandApplied)
        is_wanted = EpochBegun.model_validate(outcome.details).list_wanted
        assert is_wanted == (tasks != self.told[engine_id].on_record())
        self.listing[engine_id] = None

    # Whole lists.

    @rule(engine_id=engines, workflow_id=workflow_ids, scope=scopes)
    def forget_one_and_tell_the_whole_list(
        self, engine_id: str, workflow_id: str, scope: str
    ) -> None:
        self.own[engine_id].workflows.pop(workflow_id, None)
        self.begin_a_list(engine_id, scope)
        while self.listing[engine_id] is not None:
            self.go_on_with_the_list(engine_id)

    @rule(engine_id=engines, scope=scopes)
    def begin_a_list(self, engine_id: str, scope: str) -> None:
        told, own = self.told[engine_id], self.own[engine_id]
        in_scope = None if scope == "everything" else scope
        named = sorted({workflow_id for _, workflow_id, _ in own.tasks(in_scope)})
        self.listing[engine_id] = Listing(scope, told.on_record(in_scope), named)
        self.go_on_with_the_list(engine_id)

    @precondition(lambda self: any(self.listing.values()))
    @rule(engine_id=engines)
    def go_on_with_the_list(self, engine_id: str) -> None:
        """Tell the next workflow of the list; the last part compares."""
        listing = self.listing[engine_id]
        if listing is None:
            return
        workflows: list[SavedWorkflow] = []
        while listing.left and not workflows:
            workflow_id = listing.left.pop(0)
            if workflow_id in self.own[engine_id].workflows:
                workflows.append(self._saved(engine_id, workflow_id, listing.scope))
        last = not listing.left
        part = ListPart(id=listing.id, scope=listing.scope, part=listing.part, last=last)
        outcome = self.applied(
            engine_id, SaveWorkflows(engine_id=engine_id, workflows=tuple(workflows), list=part)
        )
        listing.part += 1
        told = self.told[engine_id]
        for one in workflows:
            tasks = {(task.account_id, one.workflow_id, task.task_id) for task in one.tasks}
            listing.missing |= tasks - told.tasks.keys()
            listing.on_record -= tasks
            told.add(one.workflow_id, one.owner, tasks)
        if last:
            vanished = listing.on_record & told.on_record()
            told.vanish(vanished)
            compared = ListCompared.model_validate(outcome.details)
            named = {(one.account_id, one.workflow_id, one.task_id) for one in compared.vanished}
            left_out = told.gone(None if listing.scope == "everything" else listing.scope)
            assert (named, compared.vanished_count) == (left_out, len(left_out))
            assert compared.missing_count == len(listing.missing)
            self.listing[engine_id] = None

    @precondition(lambda self: any(self.listing.values()))
    @rule(engine_id=engines)
    def a_part_out_of_scope_breaks_the_list_off(self, engine_id: str) -> None:
        listing = self.listing[engine_id]
        if listing is None:
            return
        other = "mail" if listing.scope != "mail" else "chat"
        scope = "chat" if other == "mail" else "mail"
        wrong = SavedWorkflow(
            workflow_id="w9",
            owner="ada",
            tasks=(SavedTask(task_id="a", account_id=other),),
        )
        part = ListPart(id=listing.id, scope=scope, part=listing.part, last=True)
        outcome = self.tell(
            engine_id, SaveWorkflows(engine_id=engine_id, workflows=(wrong,), list=part)
        )
        assert isinstance(outcome, CommandRefused)
        assert outcome.reason == "out_of_scope"
        self.listing[engine_id] = None

    # Confirmations.

    @rule(
        engine_id=engines,
        account_id=accounts,
        ahead=st.sampled_from((0, 0, 0, -1, 1)),
        holds=st.booleans(),
        failed=st.sampled_from((0, 0, 1)),
    )
    def confirm(
        self, engine_id: str, account_id: str, ahead: int, *, holds: bool, failed: int
    ) -> None:
        """Confirm what the vault told last, or the version before or after it."""
        version = 1
        if account_id in self.accounts:
            version = max(self.accounts[account_id].version + ahead, 1)
        own, told = self.own[engine_id].tasks(account_id), self.told[engine_id]
        is_known = account_id in self.accounts or any(
            one[0] == account_id for one in self._ever(engine_id)
        )
        if not is_known:
            return
        news = fetched(engine_id, version, account_id, brand=self.brand)
        command = ConfirmRotation(
            engine_id=engine_id,
            account_id=account_id,
            version=version,
            holds=holds,
            receipt="ab" * 32 if holds else None,
            count=len(own),
            digest=digest_of(own),
            failed_count=failed,
        )
        [outcome] = self.run(self._apply(news, self.engines[engine_id].next(command)))
        if own == told.on_record(account_id):
            assert isinstance(outcome, CommandApplied), outcome
            told.confirm(account_id, version, holds=holds, failed=failed)
        else:
            assert isinstance(outcome, CommandRefused)
            assert (outcome.reason, outcome.details) == ("list_differs", None)

    @rule(engine_id=engines, ahead=st.sampled_from((0, 0, -1)))
    def confirm_everything(self, engine_id: str, ahead: int) -> None:
        """Say of each account that nothing failed, and of a deleted one that nothing is held."""
        for account_id, account in self.accounts.items():
            holds = not account.is_deleted
            self.confirm(engine_id, account_id, ahead, holds=holds, failed=0)

    def _ever(self, engine_id: str) -> set[Task]:
        return set(self.told[engine_id].tasks)

    @rule(engine_id=engines, account_id=accounts, shift=st.integers(min_value=1, max_value=3))
    def lie_about_the_count(self, engine_id: str, account_id: str, shift: int) -> None:
        if account_id not in self.accounts:
            return
        tasks = self.told[engine_id].on_record(account_id)
        command = ConfirmRotation(
            engine_id=engine_id,
            account_id=account_id,
            version=1,
            holds=False,
            count=len(tasks) + shift,
            digest=digest_of(tasks),
        )
        outcome = self.tell(engine_id, command)
        assert isinstance(outcome, CommandRefused)
        assert outcome.reason == "list_differs"

    @rule(engine_id=engines, workflow_id=workflow_ids, gap=st.sampled_from((-1, 0, 2)))
    def speak_out_of_place(self, engine_id: str, workflow_id: str, gap: int) -> None:
        engine = self.engines[engine_id]
        command = DeleteWorkflows(engine_id=engine_id, workflow_ids=(workflow_id,))
        asked = engine.at(command, engine.epoch, engine.number + gap)
        [outcome] = self.run(self._apply(asked))
        assert isinstance(outcome, CommandRefused)
        assert outcome.reason == "out_of_place"
