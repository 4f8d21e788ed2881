"""A small reference of the workflow service: how it judges an engine's log and keeps its record."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from keyturn_contracts.digest import binding_digest, sum_of, to_hex
from keyturn_contracts.message import Command, CommandApplied, CommandRefused, Part
from keyturn_contracts.workflow import (
    EVERYTHING,
    BeginEpoch,
    BindingName,
    ConfirmRotation,
    DeleteWorkflows,
    EpochBegun,
    ListCompared,
    ListPart,
    OutOfPlace,
    SavedWorkflow,
    SaveWorkflows,
)

Outcome = CommandApplied | CommandRefused
Binding = tuple[str, str, str]
"""Account, workflow, task."""


@dataclass
class Judge:
    """What is on record of one engine. Whatever has its place takes its number."""

    epoch: int = 0
    number: int = 0
    at: int = 0
    """Counts all commands that took a number, over all epochs."""
    owners: dict[str, str] = field(default_factory=dict[str, str])
    named_at: dict[Binding, int] = field(default_factory=dict[Binding, int])
    vanished: set[Binding] = field(default_factory=set[Binding])
    outcomes: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    began: tuple[ListPart, int] | None = None

    def receive(self, id_: str, epoch: int, number: int, command: Command) -> Outcome:
        """Judge a command; one that is repeated gets its old outcome."""
        if id_ not in self.outcomes:
            self.outcomes[id_] = self._judge(epoch, number, command)
        return self.outcomes[id_]

    def record(self) -> set[Binding]:
        return set(self.named_at) - self.vanished

    def _judge(self, epoch: int, number: int, command: Command) -> Outcome:
        begins = isinstance(command, BeginEpoch) and epoch > self.epoch and number == 1
        follows = not isinstance(command, BeginEpoch) and self.number > 0
        if not begins and not (follows and (epoch, number) == (self.epoch, self.number + 1)):
            return _refused(
                command, "out_of_place", OutOfPlace(epoch=self.epoch, number=self.number)
            )
        self.epoch, self.number, self.at = epoch, number, self.at + 1
        if isinstance(command, BeginEpoch):
            self.began = None
            is_wanted = (command.count, command.digest) != _standing(self.record())
            return _applied(command, EpochBegun(list_wanted=is_wanted))
        if isinstance(command, DeleteWorkflows):
            self._forget(one for one in self.named_at if one[1] in command.workflow_ids)
            return _applied(command)
        if isinstance(command, ConfirmRotation):
            of_account = {one for one in self.record() if one[0] == command.account_id}
            differs = (command.count, command.digest) != _standing(of_account)
            return _refused(command, "list_differs") if differs else _applied(command)
        assert isinstance(command, SaveWorkflows)
        return self._save(command) if command.list is None else self._part(command, command.list)

    def _save(self, command: SaveWorkflows) -> Outcome:
        for workflow in command.workflows:
            named = _bindings(workflow)
            self._forget(
                one for one in self.named_at if one[1] == workflow.workflow_id and one not in named
            )
            self._name(workflow)
        return _applied(command)

    def _part(self, command: SaveWorkflows, part: ListPart) -> Outcome:
        if part.part == 1:
            self.began = (part, self.at)
        elif self.began is None or (self.began[0].id, self.began[0].part + 1) != (
            part.id,
            part.part,
        ):
            self.began = None
            return _refused(command, "list_broken_off")
        self.began = (part, self.began[1])
        for workflow in command.workflows:
            self._name(workflow)
        if not part.last:
            return _applied(command)
        in_scope = {one for one in self.named_at if part.scope in {EVERYTHING, one[0]}}
        gone = {one for one in in_scope if self.named_at[one] < self.began[1]}
        self.vanished |= gone
        self.began = None
        names = sorted(gone)[:100]
        return _applied(
            command,
            ListCompared(
                vanished=tuple(
                    BindingName(account_id=a, workflow_id=w, task_id=t) for a, w, t in names
                ),
                vanished_count=len(gone),
            ),
        )

    def _name(self, workflow: SavedWorkflow) -> None:
        self.owners[workflow.workflow_id] = workflow.owner
        for one in _bindings(workflow):
            self.named_at[one] = self.at
            self.vanished.discard(one)

    def _forget(self, bindings: Iterable[Binding]) -> None:
        for one in list(bindings):
            del self.named_at[one]
            self.vanished.discard(one)


def _bindings(workflow: SavedWorkflow) -> set[Binding]:
    return {(one.account_id, workflow.workflow_id, one.task_id) for one in workflow.tasks}


def _standing(bindings: set[Binding]) -> tuple[int, str]:
    return len(bindings), to_hex(sum_of(binding_digest(*one) for one in bindings))


def _applied(command: Command, details: Part | None = None) -> CommandApplied:
    return CommandApplied(
        command=type(command).__name__,
        changed=True,
        details=details and details.model_dump(mode="json"),
    )


def _refused(command: Command, reason: str, details: Part | None = None) -> CommandRefused:
    return CommandRefused(
        command=type(command).__name__,
        reason=reason,
        message="No.",
        details=details and details.model_dump(mode="json"),
    )
