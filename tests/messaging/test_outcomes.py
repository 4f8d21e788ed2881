"""What a sender is told of a decision."""

import pytest
from keyturn_contracts.message import AnnouncedEvent, CommandApplied, Verdict

from shared.decisions import Applied, Unchanged
from shared.messaging.outbox import Announced
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
    outcome = outcome_of("AddDomains", decision, (), 7)

    assert isinstance(outcome, CommandApplied)
    assert outcome.changed is isinstance(decision, Applied)
    assert outcome.verdicts == tuple(REFUSED[:NAMED])
    assert outcome.not_applied == 120


def test_the_refused_are_named_before_what_was_so_already() -> None:
    same = [Verdict(subject=f"domains/{one}", verdict="unchanged") for one in range(NAMED)]

    outcome = outcome_of("AddDomains", Applied("state", verdicts=[*same, *REFUSED[:2]]), (), 7)

    assert isinstance(outcome, CommandApplied)
    assert outcome.verdicts == (*REFUSED[:2], *same[: NAMED - 2])


def test_what_was_applied_to_all_has_no_verdicts() -> None:
    outcome = outcome_of("AddDomains", Applied("state"), (), 7)

    assert isinstance(outcome, CommandApplied)
    assert (outcome.verdicts, outcome.not_applied) == ((), 0)


def test_more_events_than_are_named_are_counted_and_the_last_is_the_revision() -> None:
    announced = [
        Announced(AnnouncedEvent(type="t", subject=f"counters/c{n}", sequence=1), revision=n)
        for n in range(120)
    ]

    outcome = outcome_of("AddDomains", Applied("state"), announced, 7)

    assert isinstance(outcome, CommandApplied)
    assert outcome.events == tuple(one.event for one in announced[:NAMED])
    assert (outcome.announced, outcome.revision) == (120, 119)


SILENT: list[Applied[str] | Unchanged[str]] = [Unchanged("So already."), Applied("state")]


@pytest.mark.parametrize("decision", SILENT)
def test_what_announces_nothing_says_so_and_has_a_revision_all_the_same(
    decision: Applied[str] | Unchanged[str],
) -> None:
    outcome = outcome_of("AddDomains", decision, (), 7)

    assert isinstance(outcome, CommandApplied)
    assert (outcome.events, outcome.announced, outcome.revision) == ((), 0, 7)
