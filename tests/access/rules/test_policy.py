"""What becomes of tasks without access is the administrators' choice."""

from keyturn_contracts.access import AccessPolicyChanged

from services.access.rules.policy import PolicyDesk, decide_policy
from shared.decisions import Applied, Refused, Unchanged
from tests.access import given
from tests.access.rules.on_desk import asked, listing


def test_another_choice_is_told_and_the_same_is_not() -> None:
    flagged = decide_policy(None, asked(given.policy("flag")))

    assert isinstance(flagged, Applied)
    assert flagged.events == (AccessPolicyChanged(on_loss="flag"),)
    assert isinstance(decide_policy(flagged.state, asked(given.policy("flag"))), Unchanged)
    assert isinstance(decide_policy(flagged.state, asked(given.policy("suspend"))), Applied)


def test_before_anybody_chose_tasks_are_suspended() -> None:
    assert isinstance(decide_policy(None, asked(given.policy("suspend"))), Unchanged)


def test_only_administrators_choose() -> None:
    desk = PolicyDesk(people=listing("root", members=["ada"]))

    decision = decide_policy(desk, asked(given.policy(), by="ada"))

    assert isinstance(decision, Refused)
    assert decision.reason == "not_an_administrator"
