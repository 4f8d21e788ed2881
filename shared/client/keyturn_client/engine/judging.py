"""What an outcome of one of its commands means to an engine: pure."""

from dataclasses import dataclass

from keyturn_contracts.message import CommandApplied, CommandRefused
from keyturn_contracts.workflow import ConfirmRotation, OutOfPlace
from pydantic import ValidationError

from keyturn_client.engine.journal import Entry
from keyturn_client.problems import WhyStopped


@dataclass(frozen=True, slots=True)
class Left:
    """It is about an epoch that the engine has left: nothing follows."""


@dataclass(frozen=True, slots=True)
class Took:
    """The command has taken its number."""

    applied: bool


@dataclass(frozen=True, slots=True)
class BeginAgain:
    """The log is not where the engine thinks: it begins a new epoch."""

    above: int
    at_once: bool
    """False where it might be refused again: after a pause."""
    why: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The engine must not go on."""

    reason: WhyStopped
    sentence: str


Judgement = Left | Took | BeginAgain | Stop

_OF_A_CONFIRMATION = frozenset(
    {
        "list_differs",
        "receipt_wrong",
        "receipt_unknown",
        "account_unknown",
        "dropped",
    }
)
"""Refusals of a confirmation that have an answer of their own; it has taken its number."""

ANOTHER_PROCESS = (
    "Somebody else runs as this engine, in epoch {theirs} where this process is in {ours}: one "
    "process runs as an engine at a time. Stop one of them, or register a second engine."
)
RETIRED = "An administrator retired this engine: register another with a new id."


def judge(
    entry: Entry, outcome: CommandApplied | CommandRefused, *, current_epoch: int
) -> Judgement:
    if entry.epoch != current_epoch:
        return Left()
    if isinstance(outcome, CommandApplied):
        return Took(applied=True)
    return _refused(entry, outcome, current_epoch)


def _refused(entry: Entry, outcome: CommandRefused, current_epoch: int) -> Judgement:
    reason = outcome.reason
    if reason == "out_of_place":
        return _out_of_place(outcome, current_epoch)
    if reason == "engine_retired":
        return Stop("retired", RETIRED)
    if reason in {"engine_unknown", "not_this_engine"}:
        return Stop("not_registered", f"The service does not know this engine: {outcome.message}")
    if entry.command_type == ConfirmRotation.type_name() and reason in _OF_A_CONFIRMATION:
        return Took(applied=False)
    # Whether it took its number or not, the digest of a new epoch shows what is missing.
    return BeginAgain(current_epoch, reason == "expired", f"{reason}: {outcome.message}")


def _out_of_place(outcome: CommandRefused, ours: int) -> Judgement:
    try:
        theirs = OutOfPlace.model_validate(outcome.details).epoch
    except ValidationError:
        return BeginAgain(ours, at_once=False, why="out of place, and nobody says where")
    if theirs > ours:
        return Stop("another_process", ANOTHER_PROCESS.format(theirs=theirs, ours=ours))
    return BeginAgain(ours, at_once=True, why="out of place")
