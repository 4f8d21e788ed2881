"""What is on record of an engine's workflows: saved by name, deleted by name, vanished.

It changes on a `Record` in memory, which holds all that the commands at hand name and is changed in
place: thousands of tasks cost one read before and one write after.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from keyturn_contracts.digest import MODULUS, binding_digest
from keyturn_contracts.message import Event, Verdict
from keyturn_contracts.workflow import (
    NAMED,
    BindingName,
    DeleteWorkflows,
    ListCompared,
    NotAllowed,
    SavedWorkflow,
    SaveWorkflows,
)

from services.workflow.rules.access import WHY, Access, why_suspended
from services.workflow.rules.account import Account
from services.workflow.rules.engine import Engine, Place
from services.workflow.rules.holding import NOTHING, Change, Holding, announce, standing_of
from services.workflow.rules.list import Admitted
from services.workflow.rules.usage import NOTHING as NO_USAGE
from services.workflow.rules.usage import Usage, judge, sum_up
from shared.decisions import AppliedToMany


class Task(NamedTuple):
    """One task of one workflow that uses one account."""

    workflow_id: str
    account_id: str
    task_id: str


@dataclass(slots=True)
class Binding:
    named: Place
    """The last command that named it, where that can matter: never older than it says."""
    is_vanished: bool = False


@dataclass(slots=True)
class Workflow:
    name: str
    owner: str
    bindings: dict[Task, Binding] = field(default_factory=dict[Task, Binding])


@dataclass(slots=True, kw_only=True)
class Record:
    """What is on record of one engine, as far as the commands at hand name it."""

    access: Access
    """What is known of the owners of all workflows that they name, as they are and will be."""

    engine: Engine
    accounts: Mapping[str, Account]
    """Those that are known, of all that the commands or the workflows on record name."""
    workflows: dict[str, Workflow]
    holdings: dict[str, Holding]
    usage: dict[tuple[str, str], Usage]
    """By account and owner."""
    touched_workflows: set[str] = field(default_factory=set[str])
    """Whose name or owner is to be saved, or which are gone."""
    touched_bindings: set[Task] = field(default_factory=set[Task])
    touched_holdings: set[str] = field(default_factory=set[str])
    touched_usage: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])


def apply_save(record: Record, admitted: Admitted[SaveWorkflows]) -> AppliedToMany:
    """Save what a command names, and delete by name what its workflows no longer name.

    A part of a whole list deletes nothing: what the list leaves out, single tasks of a workflow
    that it names too, is vanished when its last part has come. An old copy could otherwise
    launder the tasks that it does not know.
    """
    command = admitted.command
    work = _Work(record, admitted.place, in_list=admitted.list_began is not None)
    for workflow in command.workflows:
        work.save(workflow)
    progress = record.engine.list
    if progress is not None and progress.first_number == admitted.list_began:
        record.engine = replace(
            record.engine,
            list=replace(
                progress,
                missing=(*progress.missing, *map(_name, work.new))[:NAMED],
                missing_count=progress.missing_count + len(work.new),
            ),
        )
    return work.outcome(command.workflows)


def apply_deletion(record: Record, admitted: Admitted[DeleteWorkflows]) -> AppliedToMany:
    """Delete by name; what is not on record is so already."""
    command = admitted.command
    work = _Work(record, admitted.place, in_list=False)
    for workflow_id in command.workflow_ids:
        work.delete(workflow_id)
    return work.outcome(())


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What is on record and not in a whole list, in its scope: an earlier list's vanished too.

    An engine that has forgotten them since hears of them here and nowhere else.
    """

    first: tuple[Task, ...]
    """The first 100."""
    count: int


def finish_list(
    record: Record,
    outcome: AppliedToMany,
    vanished: Iterable[tuple[Task, str]],
    left_out: LeftOut,
) -> AppliedToMany:
    """End a whole list: what it left out for the first time is vanished from here on.

    `vanished` is that, with the owners of the workflows; it is flagged on record already, and here
    it leaves counts and digests.
    """
    progress = record.engine.list
    changes: dict[str, Change] = {}
    count = 0
    for task, owner in vanished:
        change = changes.setdefault(task.account_id, Change())
        _take_out(change, task, owner)
        change.vanished += 1
        count += 1
    events = _settle(record, changes)
    record.engine = replace(record.engine, list=None)
    details = ListCompared(
        missing=progress.missing if progress else (),
        missing_count=progress.missing_count if progress else 0,
        vanished=tuple(map(_name, left_out.first)),
        vanished_count=left_out.count,
    )
    return replace(
        outcome,
        changed=outcome.changed or count > 0,
        events=(*outcome.events, *events),
        note=None if count else outcome.note,
        details=details,
    )


class _Work:
    """One command's way through the record."""

    def __init__(self, record: Record, place: Place, *, in_list: bool) -> None:
        self._record = record
        self._place = place
        self._in_list = in_list
        # What is named matters only to a list that is being told.
        self._keeps_names = record.engine.list is not None
        self._changes: dict[str, Change] = {}
        self._unchanged: list[str] = []
        self._has_changed = False
        self.new: list[Task] = []

    def save(self, saved: SavedWorkflow) -> None:
        record = self._record
        workflow = record.workflows.get(saved.workflow_id)
        before = self._has_changed
        self._has_changed = False
        if workflow is None:
            workflow = record.workflows[saved.workflow_id] = Workflow(saved.name, saved.owner)
            record.touched_workflows.add(saved.workflow_id)
        elif (workflow.name, workflow.owner) != (saved.name, saved.owner):
            self._rename(saved.workflow_id, workflow, saved)
        named = [Task(saved.workflow_id, one.account_id, one.task_id) for one in saved.tasks]
        for task in named:
            self._name_task(workflow, task)
        if not self._in_list and len(workflow.bindings) > len(set(named)):
            for task in workflow.bindings.keys() - set(named):
                self._delete_task(workflow, task)
        if not workflow.bindings:
            del record.workflows[saved.workflow_id]
            record.touched_workflows.add(saved.workflow_id)
        if not self._has_changed:
            self._unchanged.append(saved.workflow_id)
        self._has_changed |= before

    def delete(self, workflow_id: str) -> None:
        workflow = self._record.workflows.pop(workflow_id, None)
        if workflow is None:
            self._unchanged.append(workflow_id)
            return
        self._has_changed = True
        self._record.touched_workflows.add(workflow_id)
        for task in list(workflow.bindings):
            self._delete_task(workflow, task)

    def outcome(self, saved: Sequence[SavedWorkflow]) -> AppliedToMany:
        events = _settle(self._record, self._changes)
        suspended = [
            Verdict(
                subject=f"workflows/{workflow.workflow_id}/{task.task_id}",
                verdict="suspended",
                reason=reason,
                message=WHY[reason],
            )
            for workflow in saved
            for task in workflow.tasks
            if (reason := _why_suspended(self._record, task.account_id, workflow.owner))
        ]
        unchanged = [
            Verdict(subject=f"workflows/{one}", verdict="unchanged") for one in self._unchanged
        ]
        return AppliedToMany(
            changed=self._has_changed,
            events=events,
            verdicts=(*suspended, *unchanged)[:NAMED],
            not_applied=len(suspended) + len(unchanged),
            note=None if self._has_changed else "All of it is on record already.",
        )

    def _change(self, account_id: str) -> Change:
        change = self._changes.get(account_id)
        if change is None:
            change = self._changes[account_id] = Change()
        return change

    def _rename(self, workflow_id: str, workflow: Workflow, saved: SavedWorkflow) -> None:
        """Take over name and owner; with another owner its tasks may be allowed or no longer."""
        self._has_changed = True
        self._record.touched_workflows.add(workflow_id)
        for task, binding in workflow.bindings.items():
            if not binding.is_vanished and workflow.owner != saved.owner:
                change = self._change(task.account_id)
                change.note(workflow.owner, -1)
                change.note(saved.owner, 1)
        workflow.name, workflow.owner = saved.name, saved.owner

    def _name_task(self, workflow: Workflow, task: Task) -> None:
        binding = workflow.bindings.get(task)
        if binding is not None and not binding.is_vanished:
            if self._keeps_names:
                binding.named = self._place
                self._record.touched_bindings.add(task)
            return
        self._has_changed = True
        self._record.touched_bindings.add(task)
        change = self._change(task.account_id)
        change.count += 1
        change.digest += binding_digest(task.account_id, task.workflow_id, task.task_id)
        change.note(workflow.owner, 1)
        if binding is None:
            workflow.bindings[task] = Binding(self._place)
            self.new.append(task)
        else:
            binding.named, binding.is_vanished = self._place, False
            change.vanished -= 1
            change.names_what_had_vanished = True

    def _delete_task(self, workflow: Workflow, task: Task) -> None:
        self._has_changed = True
        self._record.touched_bindings.add(task)
        change = self._change(task.account_id)
        if workflow.bindings.pop(task).is_vanished:
            change.vanished -= 1
            change.names_what_had_vanished = True
        else:
            _take_out(change, task, workflow.owner)


def _take_out(change: Change, task: Task, owner: str) -> None:
    change.count -= 1
    change.digest -= binding_digest(task.account_id, task.workflow_id, task.task_id)
    change.note(owner, -1)


def _why_suspended(record: Record, account_id: str, owner: str) -> NotAllowed | None:
    return why_suspended(record.accounts.get(account_id), owner, record.access)


def _judge(record: Record, account_id: str, change: Change) -> None:
    """Say what other tasks of some owners make of what is allowed and suspended."""
    account = record.accounts.get(account_id)
    for owner, tasks in change.owners.items():
        before = record.usage.get((account_id, owner), NO_USAGE)
        after = judge(account, owner, before.changed_by(tasks), record.access)
        # What was counted of them before was counted as they were judged then.
        was, is_now = sum_up({owner: before}), sum_up({owner: after})
        change.allowed += is_now.allowed - was.allowed
        change.suspended += is_now.suspended - was.suspended
        record.usage[account_id, owner] = after
        record.touched_usage.add((account_id, owner))


def _settle(record: Record, changes: Mapping[str, Change]) -> tuple[Event, ...]:
    """Apply changes to holdings and the engine's whole; return what is to be announced."""
    events: list[Event] = []
    count, digest = record.engine.count, record.engine.digest
    for account_id, change in sorted(changes.items()):
        _judge(record, account_id, change)
        after = change.apply_to(record.holdings.get(account_id, NOTHING))
        after, news = announce(
            after,
            standing_of(after, record.accounts.get(account_id)),
            engine_id=record.engine.id,
            account_id=account_id,
        )
        record.holdings[account_id] = after
        record.touched_holdings.add(account_id)
        count += change.count
        digest = (digest + change.digest) % MODULUS
        events += news
    record.engine = replace(record.engine, count=count, digest=digest)
    return tuple(events)


def _name(task: Task) -> BindingName:
    return BindingName(
        account_id=task.account_id, workflow_id=task.workflow_id, task_id=task.task_id
    )
