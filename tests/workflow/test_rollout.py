"""A rollout's way, by the rules alone: what it waits for, and who hears of it when."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from keyturn_contracts.workflow import (
    OverrideRollout,
    RolloutChanged,
    RolloutCompleted,
    RolloutEnded,
    RolloutOverdue,
    RolloutProgressed,
    RolloutStarted,
    WaitingLeg,
)

from services.workflow.rules.account import Account
from services.workflow.rules.engine import Retirement
from services.workflow.rules.evidence import verbatim
from services.workflow.rules.holding import NOTHING, Holding
from services.workflow.rules.rollout import (
    Leg,
    Overridable,
    Rhythm,
    Rollout,
    complete,
    count_legs,
    decide_override,
    look,
    open_rollout,
    supersede,
    why_waiting,
)
from shared.decisions import Applied, Refused, Unchanged
from tests.workflow.given import MEMBER, NOON, by_person

RHYTHM = Rhythm(
    deadline=timedelta(hours=1),
    progress=timedelta(milliseconds=250),
    ask_again=timedelta(seconds=30),
    ask_at_most=timedelta(minutes=15),
    look_again=timedelta(minutes=1),
)
MAIL = Account(id="mail", extension="smtp-relay", state="connected", version=2, epoch=1)
CONFIRMED = Holding(count=1, allowed_count=1, confirmed_version=2, confirmed_holds=True)
SECOND = timedelta(seconds=1)


def leg(engine_id: str, holding: Holding = NOTHING, *, is_holder: bool = True) -> Leg:
    return Leg(
        engine_id=engine_id,
        kind="confirming",
        is_holder=is_holder,
        is_bound=holding.allowed_count > 0,
        holding=holding,
    )


def leasing(engine_id: str) -> Leg:
    return replace(leg(engine_id), kind="leasing")


def opened(*legs: Leg, account: Account = MAIL) -> Rollout:
    return open_rollout(account, legs, NOON, RHYTHM).rollout


def waiting(event: RolloutChanged) -> dict[str, str]:
    return {one.engine_id: one.why for one in event.waiting}


def test_a_rollout_opens_with_its_legs_and_names_those_it_waits_for() -> None:
    seen = open_rollout(MAIL, [leg("e2"), leg("e1", CONFIRMED)], NOON, RHYTHM)

    [event] = seen.events
    assert isinstance(event, RolloutStarted)
    assert (event.rollout_id, event.state, event.legs, event.done) == ("mail.2", "open", 2, 1)
    assert waiting(event) == {"e2": "unconfirmed"}
    assert event.deadline == NOON + timedelta(hours=1)
    assert event.account_epoch == 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"confirmed_version": 3}, None),
        ({"confirmed_holds": False}, None),
        ({"confirmed_version": 1}, "unconfirmed"),
        ({"failed_count": 1}, "failed"),
        ({"vanished_count": 1}, "vanished"),
        ({"is_named_since": True}, "unconfirmed"),
        ({"confirmed_version": 1, "failed_count": 1, "vanished_count": 1}, "unconfirmed"),
    ],
)
def test_a_leg_is_done_when_nothing_of_its_holding_is_open(
    changes: dict[str, int], why: str | None
) -> None:
    one = leg("e1", replace(CONFIRMED, **changes))

    assert why_waiting(opened(one), MAIL, one, NOON) == why


def test_a_rotation_to_nothing_waits_until_the_engine_says_it_holds_nothing() -> None:
    deleted = replace(MAIL, state="deleted")
    rollout = opened(account=deleted)
    let_go = replace(CONFIRMED, confirmed_holds=False)

    assert why_waiting(rollout, deleted, leg("e1", CONFIRMED), NOON) == "unconfirmed"
    assert why_waiting(rollout, deleted, leg("e1", let_go), NOON) is None


def test_a_leasing_engines_leg_is_done_when_its_last_older_lease_has_ended() -> None:
    until = NOON + timedelta(minutes=5)
    account = replace(MAIL, holders={"e1": until})
    seen = open_rollout(account, [leasing("e1")], NOON, RHYTHM)

    assert waiting(seen.events[0]) == {"e1": "lease"}
    assert seen.look_at == NOON + RHYTHM.look_again
    soon = until - SECOND
    count = count_legs(seen.rollout, account, [leasing("e1")], soon)
    assert look(seen.rollout, count, soon, RHYTHM).look_at == until
    later = replace(account, holders={"e1": until + timedelta(minutes=5)})
    assert count_legs(seen.rollout, later, [leasing("e1")], until).is_complete


def test_a_leasing_engine_that_only_leased_the_new_version_is_no_straggler() -> None:
    rollout = opened()

    later = replace(MAIL, holders={"e1": NOON + timedelta(minutes=5)})
    assert count_legs(rollout, later, [leasing("e1")], NOON).is_complete


def test_progress_is_announced_when_it_changes_and_not_too_often() -> None:
    legs = [leg("e1"), leg("e2"), leg("e3")]
    rollout = opened(*legs)
    nothing_new = look(
        rollout, count_legs(rollout, MAIL, legs, NOON + SECOND), NOON + SECOND, RHYTHM
    )
    assert nothing_new.events == ()

    legs[0] = leg("e1", CONFIRMED)
    soon = NOON + timedelta(milliseconds=100)
    too_soon = look(rollout, count_legs(rollout, MAIL, legs, soon), soon, RHYTHM)
    assert too_soon.events == ()
    assert too_soon.look_at == NOON + RHYTHM.progress

    then = too_soon.look_at
    seen = look(too_soon.rollout, count_legs(rollout, MAIL, legs, then), then, RHYTHM)
    [event] = seen.events
    assert isinstance(event, RolloutProgressed)
    assert (event.done, event.legs, event.asked) == (1, 3, 1)
    assert waiting(event) == {"e2": "unconfirmed", "e3": "unconfirmed"}


def test_late_legs_are_asked_again_with_growing_pauses() -> None:
    legs = [leg("e1")]
    rollout = opened(*legs)
    asked_at, now = [NOON], NOON
    for _ in range(1000):
        seen = look(rollout, count_legs(rollout, MAIL, legs, now), now, RHYTHM)
        rollout, now = seen.rollout, seen.look_at
        if seen.events and isinstance(seen.events[0], RolloutProgressed):
            assert seen.events[0].asked == len(asked_at) + 1
            asked_at.append(rollout.asked_at)

    pauses = [later - earlier for earlier, later in pairwise(asked_at)]
    assert pauses[:3] == [timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2)]
    assert pauses[-1] == RHYTHM.ask_at_most


def test_who_only_waits_for_a_lease_is_not_asked() -> None:
    account = replace(MAIL, holders={"e1": NOON + timedelta(hours=2)})
    rollout = opened(leasing("e1"), account=account)
    later = NOON + timedelta(minutes=50)

    assert (
        look(rollout, count_legs(rollout, account, [leasing("e1")], later), later, RHYTHM).events
        == ()
    )


def test_of_many_that_wait_each_is_named_in_its_turn() -> None:
    legs = [leg(f"e{one:03}") for one in range(250)]
    rollout = opened(*legs)
    named: set[str] = {one.engine_id for one in rollout.view.waiting}
    assert len(named) == 100

    now = NOON
    for _ in range(2):
        now += timedelta(minutes=5)
        rollout = look(rollout, count_legs(rollout, MAIL, legs, now), now, RHYTHM).rollout
        named |= {one.engine_id for one in rollout.view.waiting}

    assert len(named) == 250


def test_after_the_deadline_a_rollout_is_overdue_once_and_names_the_stragglers() -> None:
    legs = [leg("e1"), leg("e2", CONFIRMED)]
    rollout = opened(*legs)
    late = rollout.deadline

    seen = look(rollout, count_legs(rollout, MAIL, legs, late), late, RHYTHM)
    again = look(seen.rollout, count_legs(rollout, MAIL, legs, late), late + SECOND, RHYTHM)

    [event] = seen.events
    assert isinstance(event, RolloutOverdue)
    assert (event.state, waiting(event)) == ("overdue", {"e1": "unconfirmed"})
    assert again.events == ()
    done = count_legs(seen.rollout, MAIL, [leg("e2", CONFIRMED)], late)
    completed, last = complete(seen.rollout, done, "0" * 64, late)
    assert isinstance(last, RolloutCompleted)
    assert (completed.state, last.proof_sha256, last.waiting) == ("completed", "0" * 64, ())


def test_a_superseded_rollout_ends_for_this_alone() -> None:
    ended, event = supersede(opened(leg("e1")))

    assert isinstance(event, RolloutEnded)
    assert (ended.state, event.state, event.proof_sha256) == ("superseded", "superseded", None)


def test_without_legs_a_rollout_is_complete() -> None:
    assert count_legs(opened(), MAIL, [], NOON).is_complete


# Excuses.

OVERRIDE = OverrideRollout(rollout_id="mail.2", engines=("e1",), reason="It was thrown away.")


def given_overridable(rollout: Rollout) -> Overridable:
    return Overridable(rollout=rollout, owners=frozenset({"ada"}), engines=frozenset({"e1", "e2"}))


def test_an_override_excuses_by_name_and_on_the_record() -> None:
    legs = [leg("e1"), leg("e2")]
    state = given_overridable(opened(*legs))

    decision = decide_override(state, by_person(OVERRIDE))

    assert isinstance(decision, Applied)
    [event] = decision.events
    assert isinstance(event, RolloutProgressed)
    assert waiting(event) == {"e2": "unconfirmed"}
    assert [(one.engine_id, one.by, one.reason) for one in event.excused] == [
        ("e1", "root", "It was thrown away.")
    ]
    count = count_legs(decision.state.rollout, MAIL, legs, NOON)
    assert (count.waiting, count.legs) == ((WaitingLeg(engine_id="e2", why="unconfirmed"),), 2)
    assert isinstance(decide_override(decision.state, by_person(OVERRIDE)), Unchanged)
    rest_done = count_legs(decision.state.rollout, MAIL, [leg("e1"), leg("e2", CONFIRMED)], NOON)
    assert rest_done.is_complete
    assert [one.engine_id for one in rest_done.done] == ["e2"]


def test_an_owner_may_override_and_nobody_else_is_told_whether_there_is_a_rollout() -> None:
    state = given_overridable(opened(leg("e1")))
    bob = by_person(OVERRIDE, subject="bob", roles=MEMBER)

    assert isinstance(
        decide_override(state, by_person(OVERRIDE, subject="ada", roles=MEMBER)), Applied
    )
    for seen in (decide_override(state, bob), decide_override(None, bob)):
        assert isinstance(seen, Refused)
        assert seen.reason == "not_allowed"


def test_an_override_is_refused() -> None:
    state = given_overridable(opened(leg("e1")))
    ended, _ = supersede(state.rollout)
    strange = OVERRIDE.model_copy(update={"engines": ("e1", "e9")})

    for seen, reason in (
        (decide_override(None, by_person(OVERRIDE)), "rollout_unknown"),
        (decide_override(replace(state, rollout=ended), by_person(OVERRIDE)), "rollout_ended"),
        (decide_override(state, by_person(strange)), "engine_unknown"),
    ):
        assert isinstance(seen, Refused)
        assert seen.reason == reason


def test_an_engine_that_was_retired_is_no_leg_and_stays_on_the_record() -> None:
    retirement = Retirement(by="root", reason="Sold.", command=verbatim(by_person(OVERRIDE)))
    legs = [replace(leg("e1"), retirement=retirement), leg("e2", CONFIRMED)]
    rollout = opened(leg("e1"), leg("e2"))

    count = count_legs(rollout, MAIL, legs, NOON)

    assert count.is_complete
    assert (count.legs, len(count.done)) == (1, 1)
    assert [(one.engine_id, one.by, one.reason) for one in count.excused] == [
        ("e1", "root", "Sold.")
    ]
