"""What an outcome means to an engine."""

from typing import Any

import pytest
from keyturn_client.engine.journal import Entry
from keyturn_client.engine.judging import BeginAgain, Left, Stop, Took, judge
from keyturn_contracts.message import Command, CommandApplied, CommandRefused
from keyturn_contracts.workflow import BeginEpoch, ConfirmRotation, SaveWorkflows


def entry_of(command: type[Command], *, epoch: int = 5) -> Entry:
    return Entry(epoch=epoch, number=7, command_id="c1", command_type=command.type_name())


def refused(reason: str, **details: Any) -> CommandRefused:
    return CommandRefused(command="It", reason=reason, message="No.", details=details or None)


def judged(command: type[Command], outcome: CommandApplied | CommandRefused) -> object:
    return judge(entry_of(command), outcome, current_epoch=5)


def test_what_was_applied_has_taken_its_number() -> None:
    applied = CommandApplied(command="SaveWorkflows", changed=True)
    assert judged(SaveWorkflows, applied) == Took(applied=True)


def test_a_refusal_about_an_epoch_that_was_left_is_ignored() -> None:
    outcome = refused("out_of_place", epoch=9, number=1)
    assert judge(entry_of(SaveWorkflows, epoch=4), outcome, current_epoch=5) == Left()


def test_out_of_place_begins_a_new_epoch() -> None:
    found = judged(SaveWorkflows, refused("out_of_place", epoch=5, number=3))
    assert isinstance(found, BeginAgain)
    assert found.at_once


def test_a_writer_that_is_told_of_a_higher_epoch_than_its_own_stops() -> None:
    found = judged(SaveWorkflows, refused("out_of_place", epoch=6, number=1))
    assert isinstance(found, Stop)
    assert found.reason == "another_process"
    assert "Somebody else runs as this engine, in epoch 6" in found.sentence


@pytest.mark.parametrize(
    ("reason", "stops"),
    [
        ("engine_retired", "retired"),
        ("engine_unknown", "not_registered"),
        ("not_this_engine", "not_registered"),
    ],
)
def test_an_engine_that_is_not_known_any_more_stops(reason: str, stops: str) -> None:
    found = judged(BeginEpoch, refused(reason))
    assert isinstance(found, Stop)
    assert found.reason == stops


@pytest.mark.parametrize(
    "reason",
    ["list_differs", "receipt_wrong", "receipt_unknown", "account_unknown", "dropped"],
)
def test_a_refused_confirmation_has_taken_its_number(reason: str) -> None:
    assert judged(ConfirmRotation, refused(reason)) == Took(applied=False)


@pytest.mark.parametrize("reason", ["invalid", "dropped", "too_many_tasks", "list_broken_off"])
def test_a_save_that_was_not_applied_is_healed_by_a_new_epoch_after_a_pause(reason: str) -> None:
    found = judged(SaveWorkflows, refused(reason))
    assert isinstance(found, BeginAgain)
    assert not found.at_once


@pytest.mark.parametrize("command", [BeginEpoch, SaveWorkflows, ConfirmRotation])
def test_what_came_too_late_is_said_again_in_a_new_epoch_at_once(command: type[Command]) -> None:
    found = judged(command, refused("expired"))
    assert isinstance(found, BeginAgain)
    assert found.at_once
