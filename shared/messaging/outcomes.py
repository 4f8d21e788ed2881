"""From what a rule decided to what is saved, announced and told."""

from collections.abc import Sequence
from typing import Any, TypeVar

from keyturn_contracts.message import CommandApplied, CommandRefused, Event, Part, Verdict
from pydantic import JsonValue

from shared.decisions import Applied, AppliedToMany, Decision, Later, Refused, Unchanged
from shared.messaging.outbox import Announced

S = TypeVar("S")

NAMED = 100
"""How many events and verdicts an outcome names."""

AnyDecision = Decision[Any, str] | AppliedToMany
AnyOutcome = CommandApplied | CommandRefused


def state_of(decision: Decision[S, str]) -> S | None:
    """Return what is to be saved, or None where nothing changed."""
    return decision.state


def events_of(decision: AnyDecision) -> Sequence[Event]:
    return decision.events if isinstance(decision, (Applied, AppliedToMany)) else ()


def outcome_of(
    command: str, decision: AnyDecision, announced: Sequence[Announced], revision: int
) -> AnyOutcome | None:
    """Return what its sender is told; None where a job will conclude it.

    `announced` is what this decision announced; where that is nothing the outcome carries
    `revision`, which `outbox.revision_after` returns.
    """
    match decision:
        case Applied():
            return _applied(command, announced, decision, revision, changed=True)
        case Unchanged(why):
            return _applied(command, announced, decision, revision, changed=False, note=why)
        case Refused(reason, message, details=details):
            return CommandRefused(
                command=command, reason=reason, message=message, details=_as_json(details)
            )
        case Later():
            return None
        case AppliedToMany():
            return _applied(
                command,
                announced,
                decision,
                revision,
                changed=decision.changed,
                note=decision.note,
                not_applied=decision.not_applied,
            )


def _applied(
    command: str,
    announced: Sequence[Announced],
    decision: Applied[Any] | Unchanged[Any] | AppliedToMany,
    revision: int,
    *,
    changed: bool,
    note: str | None = None,
    not_applied: int = 0,
) -> CommandApplied:
    return CommandApplied(
        command=command,
        changed=changed,
        note=note,
        revision=max((one.revision for one in announced), default=revision),
        events=tuple(one.event for one in announced[:NAMED]),
        announced=len(announced),
        verdicts=_first(decision.verdicts),
        not_applied=max(not_applied, len(decision.verdicts)),
        details=_as_json(decision.details),
    )


def _first(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Return as many as are named; of too many the refused first: if none is named, none was."""
    if len(verdicts) <= NAMED:
        return tuple(verdicts)
    return tuple(sorted(verdicts, key=lambda one: one.verdict == "unchanged")[:NAMED])


def _as_json(details: Part | None) -> dict[str, JsonValue] | None:
    return None if details is None else details.model_dump(mode="json", exclude_none=True)


def refuse_reused_id(command: str) -> CommandRefused:
    return CommandRefused(
        command=command,
        reason="id_reused",
        message="You have sent another command with this id. Choose a new one.",
    )
