"""Who comes on the list and who goes, whoever asks."""

from dataclasses import replace

import pytest
from keyturn_contracts.access import AccessRevoked, ExtensionDisabled, MemberRegistered
from keyturn_contracts.actor import Role

from services.access.rules.enablement import Enablement
from services.access.rules.members import Member, is_administrator
from services.access.rules.registering import (
    MembersDesk,
    decide_registration,
    decide_removal,
)
from shared.decisions import Applied, NotYetKnown, Refused, Unchanged
from tests.access import given
from tests.access.given import NOON
from tests.access.rules.on_desk import asked, held, listing, members_desk, said


@pytest.mark.parametrize(
    ("roles", "subject", "expected"),
    [
        (("administrator",), "root", True),
        (("administrator", "operator"), "root", True),
        (("operator",), "root", False),
        (("member",), "root", False),
        (("administrator",), "ada", False),
        (("administrator",), "eve", False),
        ((), "root", False),
    ],
)
def test_the_lesser_of_what_list_and_issuer_say_holds(
    roles: tuple[Role, ...], subject: str, *, expected: bool
) -> None:
    actor = asked(given.policy(), by=subject, roles=roles).actor

    assert is_administrator(actor, listing("root", members=["ada"])) is expected


def test_without_a_list_the_issuer_alone_says_it() -> None:
    assert is_administrator(asked(given.policy(), by="eve").actor, listing())
    assert not is_administrator(asked(given.policy(), by="eve", roles=()).actor, listing())


def test_a_list_without_an_administrator_does_not_begin() -> None:
    decision = decide_registration(MembersDesk(), asked(given.register("ada")))

    assert isinstance(decision, Refused)
    assert decision.reason == "no_administrator"


def test_whoever_begins_a_list_need_not_be_on_it() -> None:
    decision = decide_registration(None, asked(given.administrators("ada"), by="root"))

    assert isinstance(decision, Applied)
    assert decision.state.has_list
    root = asked(given.policy(), by="root").actor
    assert not is_administrator(root, decision.state.list_about("root"))


def test_two_administrators_can_change_places_in_one_message() -> None:
    command = given.register("root", given.member("ada", "administrator"))

    decision = decide_registration(members_desk("root", members=["ada"]), asked(command))

    assert isinstance(decision, Applied)
    assert decision.state.list_about("ada") == listing("ada")
    assert decision.state.list_about("root") == listing(members=["root"])


def test_of_who_is_named_twice_the_last_counts() -> None:
    command = given.register(given.member("ada", "administrator"), given.member("ada", name="Ada"))

    decision = decide_registration(members_desk("root"), asked(command))

    assert isinstance(decision, Applied)
    [event] = decision.events
    assert isinstance(event, MemberRegistered)
    assert (event.role, event.name) == ("member", "Ada")


def test_another_name_is_a_change_and_the_same_is_none() -> None:
    desk = members_desk("root", members=["ada"])

    renamed = decide_registration(desk, asked(given.register(given.member("ada", name="Ada"))))
    same = decide_registration(desk, asked(given.register("ada")))

    assert isinstance(renamed, Applied)
    assert isinstance(same, Unchanged)
    assert said(same.verdicts) == [("ada", "unchanged", None)]


def test_all_administrators_at_once_are_not_removed() -> None:
    decision = decide_removal(members_desk("root", "ada"), asked(given.remove("ada", "root")))

    assert isinstance(decision, Refused)
    assert decision.reason == "last_administrator"


def test_who_is_not_there_is_not_removed_and_that_is_said() -> None:
    desk = members_desk("root", members=["ada"])

    some = decide_removal(desk, asked(given.remove("eve", "ada", "ada")))
    none = decide_removal(desk, asked(given.remove("eve")))

    assert isinstance(some, Applied)
    assert said(some.verdicts) == [("eve", "unchanged", None)]
    assert len(some.events) == 1
    assert isinstance(none, Unchanged)


def test_who_was_removed_is_not_removed_again() -> None:
    first = decide_removal(members_desk("root", members=["ada"]), asked(given.remove("ada")))
    assert isinstance(first, Applied)

    assert isinstance(decide_removal(first.state, asked(given.remove("ada"))), Unchanged)
    assert first.state.members["ada"].is_to_end


def test_who_comes_back_has_what_they_had_ended_first_and_once() -> None:
    removed = Member(name="", role="administrator", state="removed", is_to_end=True)
    desk = replace(
        members_desk("root"),
        members={**members_desk("root").members, "ada": removed, "bob": removed},
        grants={("mail", "ada"): held("owner"), ("mail", "bob"): held(), ("chat", "ada"): held()},
        enablements={("loud-mail", "ada"): Enablement(by="root", since=NOON)},
    )

    decision = decide_registration(desk, asked(given.register("ada")))

    assert isinstance(decision, Applied)
    assert [type(one) for one in decision.events] == [
        AccessRevoked,
        AccessRevoked,
        ExtensionDisabled,
        MemberRegistered,
    ]
    after = decision.state
    assert after.members["ada"] == Member(name="", role="member")
    assert after.grants["mail", "ada"].why_ended == "member_removed"
    assert after.grants["mail", "bob"].state == "granted"
    assert [one.subject for one in after.records] == [
        "grants/mail",
        "grants/chat",
        "enablements/loud-mail",
        "members",
    ]
    gone = decide_removal(after, asked(given.remove("ada")))
    assert isinstance(gone, Applied)
    back = decide_registration(gone.state, asked(given.register("ada")))
    assert isinstance(back, Applied)
    assert [type(one) for one in back.events] == [MemberRegistered]


def test_who_comes_back_waits_where_they_had_too_much_to_end_at_once() -> None:
    """Others do not, and once it is ended nor do they."""
    removed = Member(name="", role="member", state="removed", is_to_end=True)
    desk = replace(
        members_desk("root"),
        members={**members_desk("root").members, "ada": removed},
        grants={("mail", "ada"): held()},
        has_more=True,
    )

    with pytest.raises(NotYetKnown) as waits:
        decide_registration(desk, asked(given.register("bob", "ada")))
    assert waits.value.otherwise.reason == "still_ending"

    assert isinstance(decide_registration(desk, asked(given.register("bob"))), Applied)
    ended = replace(desk, members={**desk.members, "ada": replace(removed, is_to_end=False)})
    assert isinstance(decide_registration(ended, asked(given.register("ada"))), Applied)


@pytest.mark.parametrize("by", ["ada", "eve"])
def test_nobody_but_an_administrator_changes_the_list(by: str) -> None:
    desk = members_desk("root", members=["ada"])

    for decision in (
        decide_registration(desk, asked(given.register("eve"), by=by)),
        decide_removal(desk, asked(given.remove("root"), by=by)),
    ):
        assert isinstance(decision, Refused)
        assert decision.reason == "not_an_administrator"
