"""When an earlier version is retired."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from keyturn_contracts.credential_vault import CredentialsRetired

from services.credential_vault.rules.account import Account, Holder, event_about
from services.credential_vault.rules.audit import VAULT, Who
from services.credential_vault.rules.retirement import (
    Completion,
    Retirement,
    conclude_retirement,
    pause_of,
    plan_retirement,
)
from shared.decisions import Applied, Unchanged
from tests.credential_vault.given import NOW, account, desk, version

BOB = Who("local", "bob")
MINUTE = timedelta(minutes=1)
ROTATED = account(
    version(2, "previous", retire="when-complete"),
    version(3, "previous", retire="PT15M"),
    version(4),
    version=4,
)


def completion(version: int = 4, epoch: int = 1, read_at: datetime = NOW) -> Completion:
    return Completion(version=version, account_epoch=epoch, read_at=read_at)


def planned(before: Account, *completions: Completion) -> dict[int, datetime | None]:
    for one in completions:
        before = plan_retirement(before, one, 1)
    return {one.number: one.retire_at for one in before.versions}


@pytest.mark.parametrize(
    ("retire", "pause"),
    [
        ("when-complete", timedelta(0)),
        ("PT15M", timedelta(minutes=15)),
        ("P2D", timedelta(days=2)),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("PT90S", timedelta(seconds=90)),
    ],
)
def test_a_pause_is_an_iso_8601_duration(retire: str, pause: timedelta) -> None:
    assert pause_of(retire) == pause


def test_a_pause_counts_from_when_the_vault_read_the_completion() -> None:
    assert planned(ROTATED, completion()) == {2: NOW, 3: NOW + 15 * MINUTE, 4: None}


def test_only_versions_below_the_completed_one_are_retired() -> None:
    assert planned(ROTATED, completion(3)) == {2: NOW, 3: None, 4: None}
    assert planned(ROTATED, completion(2)) == {2: None, 3: None, 4: None}


def test_a_completion_of_another_epoch_retires_nothing() -> None:
    assert planned(ROTATED, completion(epoch=2)) == {2: None, 3: None, 4: None}
    assert plan_retirement(ROTATED, completion(), 2) == ROTATED


def test_a_completion_of_a_version_that_was_never_current_retires_nothing() -> None:
    assert planned(ROTATED, completion(5)) == {2: None, 3: None, 4: None}


def test_rotations_that_follow_each_other_closely_postpone_nothing() -> None:
    assert planned(ROTATED, completion(), completion(read_at=NOW + 10 * MINUTE)) == {
        2: NOW,
        3: NOW + 15 * MINUTE,
        4: None,
    }


def test_retire_now_does_not_wait_for_a_completion() -> None:
    before = account(version(3, "previous", retire="now", retire_at=NOW), version(4), version=4)

    assert planned(before, completion(read_at=NOW + MINUTE))[3] == NOW


def test_when_the_deletion_is_complete_no_version_waits_any_longer() -> None:
    deleted = account(
        version(2, "previous", retire="P30D", retire_at=NOW + timedelta(days=30)),
        version(3, "previous", retire="P1D"),
        state="deleted",
        version=4,
    )

    assert planned(deleted, completion(3)) == {2: NOW + timedelta(days=30), 3: None}
    assert planned(deleted, completion(4)) == {2: NOW, 3: NOW}


DUE = account(
    version(2, "previous", retire_at=NOW, claim="mine"),
    version(3, "previous", retire_at=NOW - MINUTE, claim="mine", ended_by=BOB),
    version(4),
    version=4,
    holders=(Holder("e1", 2), Holder("e2", 3), Holder("e2", 4), Holder("e3", 4)),
)


def test_a_retired_version_takes_the_engines_with_it_that_held_nothing_else() -> None:
    decision = conclude_retirement(desk(DUE), Retirement(claims={2: "mine", 3: "mine"}, at=NOW))

    assert isinstance(decision, Applied)
    after = decision.state.account
    assert after is not None
    assert decision.events == (event_about(CredentialsRetired, after),)
    (event,) = decision.events
    assert isinstance(event, CredentialsRetired)
    assert (event.version, event.unretired) == (4, ())
    assert [one.engine_id for one in event.holders] == ["e2", "e3"]
    assert [(one.number, one.status, one.ended_at) for one in after.versions] == [
        (2, "retired", NOW),
        (3, "retired", NOW),
        (4, "current", None),
    ]
    assert {one.retire_at for one in after.versions} == {None}, "nothing is due any more"
    assert [(one.version, one.by, one.action) for one in decision.state.entries] == [
        (2, VAULT, "retire"),
        (3, BOB, "retire"),
    ]


def test_one_of_two_versions_that_are_due_may_be_retired_alone() -> None:
    decision = conclude_retirement(desk(DUE), Retirement(claims={2: "mine"}, at=NOW))

    assert isinstance(decision, Applied)
    (event,) = decision.events
    assert isinstance(event, CredentialsRetired)
    assert event.unretired == (3,)


@pytest.mark.parametrize(
    "spared",
    [
        version(2, "previous", retire_at=NOW + MINUTE, claim="mine"),
        version(2, "previous", retire_at=None, claim="mine"),
        version(2, "previous", retire_at=NOW, claim="another's"),
        version(2, "previous", retire_at=NOW, claim=None),
        version(2, "current", retire_at=NOW, claim="mine"),
        version(2, "pending", retire_at=NOW, claim="mine"),
    ],
)
def test_what_is_not_due_or_not_the_workers_own_is_never_retired(spared: object) -> None:
    before = replace(DUE, versions=(spared,))

    decision = conclude_retirement(desk(before), Retirement(claims={2: "mine"}, at=NOW))

    assert isinstance(decision, Unchanged)


def test_an_account_that_is_not_there_has_nothing_to_retire() -> None:
    decision = conclude_retirement(desk(None), Retirement(claims={2: "mine"}, at=NOW))

    assert isinstance(decision, Unchanged)
