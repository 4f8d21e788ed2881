"""The codes that scripts are written against, and that no refusal is without one."""

from typing import get_args

import pytest
from keyturn_contracts.message import (
    CommandApplied,
    CommandRefused,
    EveryCommandsReason,
    Verdict,
)
from keyturn_contracts.registry import COMMANDS

from shared.cli.exit_codes import OF_REASON, ExitCode, of_outcome

AS_ASKED = Verdict(subject="domains/api.example.com", verdict="unchanged")
REFUSED = Verdict(subject="domains/-", verdict="refused", reason="domains_refused")
EVERY_REASON = {
    *get_args(EveryCommandsReason),
    *(reason for command in COMMANDS for reason in command.reasons),
}


def test_every_reason_has_a_code_and_no_other_word_has_one() -> None:
    assert OF_REASON.keys() == EVERY_REASON


def test_no_refusal_ends_as_if_it_had_worked() -> None:
    assert not {ExitCode.OK, ExitCode.PARTLY} & {*OF_REASON.values()}


def test_the_numbers_are_the_promised_ones() -> None:
    assert [(code.name, code.value) for code in ExitCode] == [
        ("OK", 0),
        ("FAILED", 1),
        ("USAGE", 2),
        ("NOT_FOUND", 3),
        ("CONFLICT", 4),
        ("NOT_ALLOWED", 5),
        ("PARTLY", 6),
        ("TIMED_OUT", 7),
    ]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (CommandApplied(command="EditAccount", changed=False), ExitCode.OK),
        (CommandApplied(command="SaveWorkflows", changed=True, not_applied=3), ExitCode.PARTLY),
        (
            CommandApplied(command="AddDomains", changed=True, not_applied=1, verdicts=(AS_ASKED,)),
            ExitCode.OK,
        ),
        (
            CommandApplied(command="AddDomains", changed=True, not_applied=2, verdicts=(AS_ASKED,)),
            ExitCode.PARTLY,
        ),
        (
            CommandApplied(
                command="RegisterMembers",
                changed=False,
                not_applied=2500,
                verdicts=(AS_ASKED,) * 100,
            ),
            ExitCode.OK,
        ),
        (
            CommandApplied(
                command="AddDomains",
                changed=True,
                not_applied=2500,
                verdicts=(REFUSED, *(AS_ASKED,) * 99),
            ),
            ExitCode.PARTLY,
        ),
        (
            CommandRefused(
                command="EditAccount", reason="account_unknown", message="There is none."
            ),
            ExitCode.NOT_FOUND,
        ),
        (
            CommandRefused(command="EditAccount", reason="of_a_newer_service", message="No."),
            ExitCode.FAILED,
        ),
    ],
)
def test_an_outcome_is_told_as_a_code(
    outcome: CommandApplied | CommandRefused, code: ExitCode
) -> None:
    assert of_outcome(outcome) is code
