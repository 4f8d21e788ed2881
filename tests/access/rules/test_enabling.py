"""Who may use an extension of a third party, and what a first party's says."""

import pytest
from keyturn_contracts.installation import InstallationState

from services.access.rules.enabling import EnablementsDesk, decide_disabling, decide_enabling
from shared.decisions import Applied, NotYetKnown, Refused, Unchanged
from tests.access import given
from tests.access.rules.on_desk import asked, extension_desk, listing, said


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("suspended", "not_licensed"),
        ("uninstalling", "not_installed"),
        ("uninstalled", "not_installed"),
    ],
)
def test_what_cannot_be_used_is_waited_for(state: InstallationState, reason: str) -> None:
    with pytest.raises(NotYetKnown) as waits:
        decide_enabling(extension_desk(state=state), asked(given.enable("ada")))

    assert waits.value.otherwise.reason == reason


def test_what_nobody_ever_heard_of_is_not_installed() -> None:
    with pytest.raises(NotYetKnown) as enabling:
        decide_enabling(EnablementsDesk(), asked(given.enable()))
    with pytest.raises(NotYetKnown) as disabling:
        decide_disabling(EnablementsDesk(), asked(given.disable()))

    assert enabling.value.otherwise.reason == "not_installed"
    assert disabling.value.otherwise.reason == "not_installed"


def test_who_may_not_decide_does_not_wait_for_anything() -> None:
    decision = decide_enabling(EnablementsDesk(), asked(given.enable(), roles=("member",)))

    assert isinstance(decision, Refused)
    assert decision.reason == "not_an_administrator"


def test_members_are_enabled_once_and_strangers_never() -> None:
    desk = extension_desk(listing("root", members=["ada"]))

    first = decide_enabling(desk, asked(given.enable("ada", "eve", "ada")))
    assert isinstance(first, Applied)
    again = decide_enabling(first.state, asked(given.enable("ada", "eve")))
    strangers = decide_enabling(first.state, asked(given.enable("eve")))

    assert len(first.events) == 1
    assert said(first.verdicts) == [("eve", "refused", "member_unknown")]
    assert isinstance(again, Unchanged)
    assert isinstance(strangers, Refused)
    assert strangers.reason == "members_refused"


def test_everyone_and_members_are_enabled_apart_from_each_other() -> None:
    everyone = decide_enabling(extension_desk(), asked(given.enable()))
    assert isinstance(everyone, Applied)
    both = decide_enabling(everyone.state, asked(given.enable("ada")))
    assert isinstance(both, Applied)

    ended = decide_disabling(both.state, asked(given.disable()))

    assert isinstance(ended, Applied)
    assert ended.state.is_enabled("ada")
    assert not ended.state.is_enabled("*")
    assert isinstance(decide_disabling(ended.state, asked(given.disable())), Unchanged)


def test_who_has_left_can_be_disabled() -> None:
    enabled = decide_enabling(extension_desk(), asked(given.enable("ada")))
    assert isinstance(enabled, Applied)
    desk = extension_desk(listing("root"))
    left = EnablementsDesk(
        installation=desk.installation,
        enablements=enabled.state.enablements,
        people=desk.people,
    )

    assert isinstance(decide_disabling(left, asked(given.disable("ada"))), Applied)


@pytest.mark.parametrize("state", ["installed", "suspended"])
def test_a_first_partys_is_never_disabled(state: InstallationState) -> None:
    desk = extension_desk(party="first", state=state)

    decision = decide_disabling(desk, asked(given.disable("ada")))

    assert isinstance(decision, Refused)
    assert decision.reason == "first_party"


def test_a_first_partys_is_enabled_by_its_licence() -> None:
    enabled = decide_enabling(extension_desk(party="first"), asked(given.enable("ada")))

    assert isinstance(enabled, Unchanged)
    with pytest.raises(NotYetKnown):
        decide_enabling(extension_desk(party="first", state="suspended"), asked(given.enable()))
