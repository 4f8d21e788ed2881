"""Who is given what, and why others are not."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from keyturn_contracts.access import AccessGranted
from keyturn_contracts.actor import Role

from services.access.rules.grant import Grant
from services.access.rules.granting import decide_grant, decide_grant_to_all
from services.access.rules.revoking import decide_revocation
from services.access.rules.sharing import GrantsDesk
from shared.decisions import Applied, NotYetKnown, Refused, Unchanged
from tests.access import given
from tests.access.given import LATER, NOON
from tests.access.rules.on_desk import account_desk, asked, held, listing, said


def test_an_owner_gives_what_is_asked_and_the_event_says_all_of_it() -> None:
    decision = decide_grant(account_desk(), asked(given.grant("ada", until=LATER)))

    assert isinstance(decision, Applied)
    assert decision.events == [
        AccessGranted(
            account_id="mail",
            member="ada",
            level="user",
            state="granted",
            how="granted",
            by="root",
            since=NOON,
            until=LATER,
        )
    ]
    [record] = decision.state.records
    assert (record.action, record.members) == ("GrantAccess", {"ada": "user"})


def test_an_unknown_account_is_waited_for_and_then_refused() -> None:
    with pytest.raises(NotYetKnown) as waits:
        decide_grant(GrantsDesk(), asked(given.grant("ada")))

    assert waits.value.otherwise.reason == "account_unknown"


def test_who_is_not_made_an_owner_yet_waits_and_then_is_none() -> None:
    with pytest.raises(NotYetKnown) as waits:
        decide_grant(account_desk({}, is_created=False), asked(given.grant("ada")))

    assert waits.value.otherwise.reason == "not_an_owner"


def test_an_owner_does_not_wait_for_the_creator() -> None:
    desk = account_desk(is_created=False)

    assert isinstance(decide_grant(desk, asked(given.grant("ada"))), Applied)


@pytest.mark.parametrize("is_created", [False, True])
def test_nobody_waits_for_the_creator_of_an_account_that_is_going(*, is_created: bool) -> None:
    """They are made no owner any more: administrators decide, and others may not."""
    people = listing("root", members=["ada"])
    desk = account_desk({"ada": held()}, people, is_created=is_created, is_uninstalling=True)

    for by, reason in (("root", "uninstalling"), ("ada", "not_an_owner")):
        for decision in (
            decide_grant(desk, asked(given.grant("ada"), by=by)),
            decide_grant_to_all(desk, asked(given.grant_all(), by=by)),
        ):
            assert isinstance(decision, Refused)
            assert decision.reason == reason
    assert isinstance(decide_revocation(desk, asked(given.revoke("ada"), by="ada")), Refused)
    assert isinstance(decide_revocation(desk, asked(given.revoke("ada"))), Applied)


def test_of_a_deleted_account_nothing_is_given() -> None:
    decision = decide_grant(account_desk(is_deleted=True), asked(given.grant("ada")))

    assert isinstance(decision, Refused)
    assert decision.reason == "account_deleted"


@pytest.mark.parametrize(
    ("until", "is_given"),
    [(NOON - timedelta(microseconds=1), False), (NOON, False), (LATER, True)],
)
def test_a_grant_ends_after_it_began(until: datetime, *, is_given: bool) -> None:
    for decision in (
        decide_grant(account_desk(), asked(given.grant("ada", until=until))),
        decide_grant_to_all(account_desk(), asked(given.grant_all(until=until))),
    ):
        assert isinstance(decision, Applied) is is_given


def test_ownership_that_has_run_out_gives_no_right() -> None:
    desk = account_desk({"root": held("owner", until=NOON), "bob": held("owner")})

    decision = decide_grant(desk, asked(given.grant("ada")))

    assert isinstance(decision, Refused)
    assert decision.reason == "not_an_owner"


@pytest.mark.parametrize("owner", ["eve", "root"])
def test_where_nobody_owns_it_now_an_administrator_may(owner: str) -> None:
    """Eve is not on the list, and root's ownership has run out."""
    grants = {owner: held("owner", until=NOON if owner == "root" else None)}
    desk = account_desk(grants, listing("root", members=["ada"]))

    assert isinstance(decide_grant(desk, asked(given.grant("ada"))), Applied)
    assert isinstance(decide_grant(desk, asked(given.grant("ada"), by="ada")), Refused)


def test_whom_only_the_issuer_calls_an_administrator_may_not() -> None:
    desk = account_desk({}, listing("olga", members=["root"]))

    assert isinstance(decide_grant(desk, asked(given.grant("root"))), Refused)


def test_an_operator_may_not_either() -> None:
    decision = decide_grant(account_desk({}), asked(given.grant("ada"), roles=("operator",)))

    assert isinstance(decision, Refused)


@pytest.mark.parametrize("roles", [(), ("operator",), ("publisher",)])
def test_whom_nobody_vouches_for_as_a_member_acts_as_no_owner(roles: Sequence[Role]) -> None:
    """They are called root, who owns it; also where the brand has no list."""
    for desk in (account_desk(), account_desk(people=listing("root"))):
        for decision in (
            decide_grant(desk, asked(given.grant("ada"), roles=roles)),
            decide_grant_to_all(desk, asked(given.grant_all(), roles=roles)),
            decide_revocation(desk, asked(given.revoke("root"), roles=roles)),
        ):
            assert isinstance(decision, Refused)
            assert decision.reason == "not_an_owner"
    assert isinstance(
        decide_grant(account_desk(), asked(given.grant("ada"), roles=("member",))), Applied
    )


def test_while_its_extension_is_uninstalled_it_is_given_to_nobody_and_can_be_taken_away() -> None:
    desk = account_desk({"root": held("owner"), "ada": held()}, is_uninstalling=True)

    for refused in (
        decide_grant(desk, asked(given.grant("bob"))),
        decide_grant_to_all(desk, asked(given.grant_all())),
    ):
        assert isinstance(refused, Refused)
        assert refused.reason == "uninstalling"
    # Who may not share it is not told what becomes of it.
    stranger = decide_grant(desk, asked(given.grant("bob"), by="eve", roles=("member",)))
    assert isinstance(stranger, Refused)
    assert stranger.reason == "not_an_owner"
    assert isinstance(decide_revocation(desk, asked(given.revoke("ada"))), Applied)


def test_everyones_access_lets_nobody_share() -> None:
    desk = account_desk({"*": held(), "bob": held("owner")})

    assert isinstance(decide_grant(desk, asked(given.grant("ada"), by="*")), Refused)
    assert isinstance(decide_grant(desk, asked(given.grant("ada"), by="ada")), Refused)


def test_an_owner_stays_one_and_the_same_is_not_given_twice() -> None:
    desk = account_desk({"root": held("owner"), "ada": held(), "bob": held(until=LATER)})

    decision = decide_grant(desk, asked(given.grant("root", "ada", "bob")))

    assert isinstance(decision, Applied)
    assert said(decision.verdicts) == [("root", "unchanged", None), ("ada", "unchanged", None)]
    assert decision.verdicts[0].message == "root is an owner, and stays one."
    assert decision.state.grant_of("bob") == Grant(level="user", by="root", since=NOON)


def test_what_has_run_out_is_given_anew() -> None:
    desk = account_desk({"root": held("owner"), "ada": held("owner", until=NOON)})

    decision = decide_grant(desk, asked(given.grant("ada")))

    assert isinstance(decision, Applied)
    assert decision.state.grant_of("ada") == Grant(level="user", by="root", since=NOON)


def test_with_a_list_only_its_administrators_become_owners() -> None:
    desk = account_desk(people=listing("root", "olga", members=["ada"]))

    decision = decide_grant(desk, asked(given.grant("olga", "ada", "eve", level="owner")))

    assert isinstance(decision, Applied)
    assert said(decision.verdicts) == [
        ("ada", "refused", "not_an_administrator"),
        ("eve", "refused", "member_unknown"),
    ]
    assert decision.state.changed.keys() == {"olga"}
    assert decision.state.owners(NOON) == {"root", "olga"}


def test_without_a_list_anybody_can_become_an_owner() -> None:
    decision = decide_grant(account_desk(), asked(given.grant("ada", level="owner")))

    assert isinstance(decision, Applied)


def test_where_all_are_refused_the_sentence_says_why() -> None:
    desk = account_desk(people=listing("root"))

    one = decide_grant(desk, asked(given.grant("eve")))
    two = decide_grant(desk, asked(given.grant("eve", "mallory")))

    assert isinstance(one, Refused)
    assert isinstance(two, Refused)
    assert one.reason == two.reason == "members_refused"
    assert one.message == "eve is not on the brand's list of members: register them first."
    assert two.message.startswith("None of the 2 members could be taken. eve is not")


def test_where_some_have_it_already_nothing_is_refused() -> None:
    decision = decide_grant(account_desk(people=listing("root")), asked(given.grant("eve", "root")))

    assert isinstance(decision, Unchanged)
    assert said(decision.verdicts) == [
        ("eve", "refused", "member_unknown"),
        ("root", "unchanged", None),
    ]


def test_ownership_is_not_for_everyone_whoever_asks() -> None:
    for desk in (account_desk(), GrantsDesk(), account_desk({})):
        decision = decide_grant_to_all(desk, asked(given.grant_all(level="owner")))
        assert isinstance(decision, Refused)
        assert decision.reason == "owner_not_for_all"


def test_everyone_is_given_another_end_but_not_the_same_twice() -> None:
    first = decide_grant_to_all(account_desk(), asked(given.grant_all()))
    assert isinstance(first, Applied)

    assert isinstance(decide_grant_to_all(first.state, asked(given.grant_all())), Unchanged)
    other = decide_grant_to_all(first.state, asked(given.grant_all(until=LATER)))
    assert isinstance(other, Applied)
    everyones = other.state.grant_of("*")
    assert everyones is not None
    assert everyones.until == LATER
