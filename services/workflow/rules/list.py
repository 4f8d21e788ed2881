"""Which commands about workflows are taken, and which part of which whole list each one is."""

from dataclasses import dataclass, replace
from typing import Generic, Never, TypeVar

from keyturn_contracts.workflow import (
    EVERYTHING,
    MAX_TASKS,
    DeleteWorkflows,
    DeleteWorkflowsReason,
    ListPart,
    SaveWorkflows,
    SaveWorkflowsReason,
)

from services.workflow.rules.engine import DROPPED, Engine, ListInProgress, Place, admit
from shared.decisions import Refused
from shared.messaging.envelope import Asked

C = TypeVar("C", SaveWorkflows, DeleteWorkflows)


@dataclass(frozen=True, slots=True)
class Admitted(Generic[C]):
    """A command in its place, whose content may be applied to the record."""

    command: C
    place: Place
    list_began: int | None = None
    """Of a part of a whole list: the number of its part 1."""


def admit_save(
    engine: Engine | None, asked: Asked[SaveWorkflows]
) -> tuple[Engine | None, Admitted[SaveWorkflows] | Refused[Never, SaveWorkflowsReason]]:
    """Judge place and content; return the engine as it is after it, whatever the outcome."""
    admitted = admit(engine, asked)
    if isinstance(admitted, Refused):
        return engine, admitted
    part = asked.command.list
    if (refused := _refuse_content(asked.command)) is not None:
        # A list of which it is a part waits for this part: the one behind it breaks it off.
        return admitted, refused
    place = Place(admitted.epoch, admitted.number)
    if part is None:
        return admitted, Admitted(asked.command, place)
    progress = _next_part(admitted.list, part, place)
    if progress is None:
        return replace(admitted, list=None), Refused(
            "list_broken_off",
            "Another list, another epoch or a missing part broke this list off. Begin it again.",
        )
    return replace(admitted, list=progress), Admitted(asked.command, place, progress.first_number)


def admit_deletion(
    engine: Engine | None, asked: Asked[DeleteWorkflows]
) -> tuple[Engine | None, Admitted[DeleteWorkflows] | Refused[Never, DeleteWorkflowsReason]]:
    admitted = admit(engine, asked)
    if isinstance(admitted, Refused):
        return engine, admitted
    return admitted, Admitted(asked.command, Place(admitted.epoch, admitted.number))


def give_up(engine: Engine | None, asked: Asked[C]) -> tuple[Engine | None, Refused[Never, str]]:
    """Drop a command that was held: it has taken its number all the same."""
    admitted = admit(engine, asked)
    if isinstance(admitted, Refused):
        return engine, admitted
    return admitted, Refused("dropped", DROPPED)


def _refuse_content(command: SaveWorkflows) -> Refused[Never, SaveWorkflowsReason] | None:
    tasks = sum(len(one.tasks) for one in command.workflows)
    if tasks > MAX_TASKS or len(command.workflows) > MAX_TASKS:
        return Refused(
            "too_many_tasks", f"A message may name {MAX_TASKS} tasks and as many workflows."
        )
    scope = command.list.scope if command.list else EVERYTHING
    if scope != EVERYTHING and any(
        task.account_id != scope for one in command.workflows for task in one.tasks
    ):
        return Refused(
            "out_of_scope", "A list of one account names tasks that use this account, no others."
        )
    return None


def _next_part(
    current: ListInProgress | None, part: ListPart, place: Place
) -> ListInProgress | None:
    """Return the list after this part, or None where it is broken off."""
    if part.part == 1:
        return ListInProgress(id=part.id, scope=part.scope, next_part=2, first_number=place.number)
    if current is None or (current.id, current.scope, current.next_part) != (
        part.id,
        part.scope,
        part.part,
    ):
        return None
    return replace(current, next_part=current.next_part + 1)
