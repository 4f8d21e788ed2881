"""Uninstalling: a command begins it, and participants complete it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from keyturn_contracts.installation import PARTICIPANTS, ImpactChanged, Uninstallation

from services.installation.rules.impact import revision_of
from services.installation.rules.installation import Desk, Installation
from services.installation.rules.uninstalling import (
    Clearance,
    decide_uninstallation,
    follow_uninstallation,
    impact_of,
)
from shared.decisions import Applied, Decision, NotYetKnown, Refused, Unchanged
from tests.installation import given
from tests.installation.given import LATER, NOON, offer, uninstall
from tests.installation.rules.on_desk import IMPACT, added, asked, begun, desk, installation

REVISION = revision_of(impact_of(installation(), IMPACT))
MINUTE = timedelta(minutes=1)


def refused(decision: Decision[Desk, str]) -> Refused[Desk, str]:
    assert isinstance(decision, Refused), decision
    return decision


def clearances(
    of: Installation,
    *,
    accounts: int | None = None,
    tasks: int | None = None,
    grants: int | None = None,
    done: bool = True,
) -> dict[str, Clearance]:
    assert of.uninstallation is not None
    said = {"credential-vault": accounts, "workflow": tasks, "access": grants}
    return {
        service: Clearance(uninstall_id=of.uninstallation.uninstall_id, is_done=done, count=count)
        for service, count in said.items()
        if count is not None
    }


def followed(
    of: Installation, said: dict[str, Clearance], now: datetime = LATER
) -> tuple[Installation, Uninstallation, str]:
    after, kind = follow_uninstallation(of, said, now)
    assert after.uninstallation is not None
    return after, after.uninstallation, kind.__name__


def test_it_begins_with_the_revision_of_what_was_seen() -> None:
    command = asked(uninstall(revision=REVISION), by="ada")

    decision = decide_uninstallation(desk(installation()), command)

    assert isinstance(decision, Applied)
    [event] = decision.events
    assert type(event).__name__ == "UninstallStarted"
    told: Any = event
    assert (told.state, told.domains, told.permissions) == ("uninstalling", (), ())
    assert told.uninstallation == Uninstallation(
        uninstall_id=command.id.id,
        by="ada",
        reason="We changed to another.",
        started_at=NOON,
        deadline=NOON + 15 * MINUTE,
        waiting=PARTICIPANTS,
    )


def test_a_world_that_changed_refuses_with_todays_revision() -> None:
    more = IMPACT.model_copy(update={"account_count": 3})
    on_it = desk(installation(), impact=more)

    decision = refused(decide_uninstallation(on_it, asked(uninstall(revision=REVISION))))

    assert decision.reason == "impact_changed"
    assert decision.details == ImpactChanged(revision=revision_of(more))


def test_domains_that_were_added_since_change_the_world_too() -> None:
    on_it = desk(installation(added=added("pictures.example.org")))

    decision = refused(decide_uninstallation(on_it, asked(uninstall(revision=REVISION))))

    assert decision.reason == "impact_changed"


def test_without_revision_and_force_it_is_refused_with_todays_revision() -> None:
    decision = refused(decide_uninstallation(desk(installation()), asked(uninstall())))

    assert decision.details == ImpactChanged(revision=REVISION)


def test_force_asks_for_no_revision_and_minds_no_stale_one() -> None:
    for revision in (None, "0" * 64):
        command = asked(uninstall(revision=revision, force=True))
        assert isinstance(decide_uninstallation(desk(installation()), command), Applied)


def test_only_an_administrator_uninstalls() -> None:
    command = asked(uninstall(force=True), roles=("member",))

    decision = decide_uninstallation(desk(installation()), command)

    assert refused(decision).reason == "not_an_administrator"


def test_what_comes_with_the_licence_cannot_be_uninstalled() -> None:
    own = desk(installation(given.first_offer().review), offer=given.first_offer())

    decision = decide_uninstallation(own, asked(uninstall(given.RELAY, force=True)))

    assert refused(decision).reason == "implicit"


def test_what_is_not_installed_cannot_be_uninstalled() -> None:
    for gone in (None, installation(state="uninstalled")):
        decision = decide_uninstallation(desk(gone), asked(uninstall(force=True)))
        assert refused(decision).reason == "not_installed"


def test_what_the_licence_is_about_to_bring_is_waited_for() -> None:
    for coming in (None, desk(offer=None), desk(offer=given.first_offer())):
        with pytest.raises(NotYetKnown) as raised:
            decide_uninstallation(coming, asked(uninstall(force=True)))
        assert raised.value.otherwise.reason == "not_installed"


def test_what_the_licence_covers_no_more_can_be_uninstalled() -> None:
    suspended = desk(installation(state="suspended"), is_licensed=False)

    assert isinstance(decide_uninstallation(suspended, asked(uninstall(force=True))), Applied)


def test_asking_again_changes_nothing() -> None:
    decision = decide_uninstallation(desk(begun()), asked(uninstall()))

    assert isinstance(decision, Unchanged)
    assert decision.state is None


def test_what_was_proposed_is_forgotten() -> None:
    before = replace(installation(), proposed=_proposed())

    decision = decide_uninstallation(desk(before), asked(uninstall(force=True)))

    assert isinstance(decision, Applied)
    assert decision.state.installation is not None
    assert decision.state.installation.proposed is None


def _proposed() -> Any:
    newer = offer(2)
    return {"version": 2, "digest": newer.digest, "changes": ("It may read tickets.",)}


def test_it_is_complete_when_each_participant_has_said_so() -> None:
    first = begun()

    some, progress, kind = followed(first, clearances(first, accounts=2))
    assert (kind, progress.waiting) == ("UninstallStarted", ("workflow", "access"))
    assert (progress.accounts, progress.tasks, progress.grants) == (2, 0, 0)

    more, progress, kind = followed(some, clearances(some, accounts=2, tasks=7))
    assert (kind, progress.waiting) == ("UninstallStarted", ("access",))

    ended, done, kind = followed(more, clearances(more, accounts=2, tasks=7, grants=5))
    assert (kind, ended.state) == ("ExtensionUninstalled", "uninstalled")
    assert (done.accounts, done.tasks, done.grants) == (2, 7, 5)
    assert (done.waiting, done.completed_at) == ((), LATER)
    assert (ended.added, ended.hosts, ended.domains) == ((), (), ())
    assert ended.consent == first.consent


def test_a_participant_that_has_not_ended_is_waited_for_and_its_count_is_shown() -> None:
    first = begun()

    _, progress, kind = followed(
        first, clearances(first, accounts=1, tasks=3, grants=4, done=False)
    )

    assert (kind, progress.waiting) == ("UninstallStarted", PARTICIPANTS)
    assert (progress.accounts, progress.tasks, progress.grants) == (1, 3, 4)


def test_what_was_said_of_an_earlier_uninstallation_counts_for_nothing() -> None:
    first = begun()
    old = {
        service: replace(one, uninstall_id="another")
        for service, one in clearances(first, accounts=2, tasks=2, grants=2).items()
    }

    _, progress, _ = followed(first, old)

    assert progress.waiting == PARTICIPANTS
    assert (progress.accounts, progress.tasks, progress.grants) == (0, 0, 0)


def test_after_the_deadline_it_is_overdue_and_names_who_is_missing() -> None:
    first = begun()
    late = NOON + 15 * MINUTE

    before, progress, kind = followed(first, {}, late - MINUTE)
    assert (kind, progress.overdue) == ("UninstallStarted", False)

    overdue, progress, kind = followed(before, clearances(before, accounts=1, tasks=1), late)
    assert (kind, progress.overdue, progress.waiting) == (
        "UninstallOverdue",
        True,
        ("access",),
    )

    same, _, _ = followed(overdue, clearances(before, accounts=1, tasks=1), late + MINUTE)
    assert same == overdue


def test_what_was_late_says_so_when_it_is_complete_and_what_was_not_does_not() -> None:
    first = begun()
    late = NOON + 20 * MINUTE
    each = clearances(first, accounts=0, tasks=0, grants=0)

    overdue, _, _ = followed(first, {}, late)
    assert followed(overdue, each, late)[1].overdue

    # It was complete before the deadline, and only looked at after it.
    assert not followed(first, each, late)[1].overdue


def test_an_uninstallation_that_nobody_began_is_a_fault() -> None:
    with pytest.raises(LookupError):
        follow_uninstallation(installation(state="uninstalling"), {}, NOON)
