"""What a sender is told of a decision."""

import pytest
from keyturn_contracts.message import CommandApplied, Verdict

from shared.decisions import Applied, Unchanged
from shared.messaging.outcomes import NAMED, outcome_of

REFUSED = [
    Verdict(subject=f"domains/{number}", verdict="refused", reason="bad") for number in range(120)
]


DECISIONS: list[Applied[str] | Unchanged[str]] = [
    Applied("state", verdicts=REFUSED),
    Unchanged("They are there already.", verdicts=REFUSED),
]


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_decision_on_many_things_names_the_first_and_counts_all(
    decision: Applied[str] | Unchanged[str],
) -> None:
    outcome = outcome_of("AddDomains", decision, ())

    assert isinstance(outcome, CommandApplied)
    assert outcome.changed is isinstance(decision, Applied)
    assert outcome.verdicts == tuple(REFUSED[:NAMED])
    assert outcome.not_applied == 120


def test_the_refused_are_named_before_what_was_so_already() -> None:
    same = [Verdict(subject=f"domains/{one}", verdict="unchanged") for one in range(NAMED)]

    outcome = outcome_of("AddDomains", Applied("state", verdicts=[*same, *REFUSED[:2]]), ())

    assert isinstance(outcome, CommandApplied)
    assert outcome.verdicts == (*REFUSED[:2], *same[: NAMED - 2])


def test_what_was_applied_to_all_has_no_verdicts() -> None:
    outcome = outcome_of("AddDomains", Applied("state"), ())

    assert isinstance(outcome, CommandApplied)
    assert (outcome.verdicts, outcome.not_applied) == ((), 0)
