"""Whose access ends; an account never loses its last owner by it."""

from hypothesis import given as for_all
from hypothesis import strategies as st
from keyturn_contracts.access import AccessRevoked

from services.access.rules.revoking import decide_revocation
from shared.decisions import Applied, Refused, Unchanged
from tests.access import given
from tests.access.given import LATER, NOON
from tests.access.rules.on_desk import account_desk, asked, held, listing, said


def test_what_ends_is_told_whole() -> None:
    desk = account_desk({"root": held("owner"), "ada": held(until=LATER)})

    decision = decide_revocation(desk, asked(given.revoke("ada")))

    assert isinstance(decision, Applied)
    assert decision.events == [
        AccessRevoked(
            account_id="mail",
            member="ada",
            level="user",
            state="ended",
            how="granted",
            by="root",
            since=NOON,
            until=LATER,
            why_ended="revoked",
        )
    ]


def test_the_last_owner_stays_and_the_others_named_go() -> None:
    desk = account_desk({"root": held("owner"), "bob": held("owner"), "ada": held()})

    decision = decide_revocation(desk, asked(given.revoke("root", "ada", "bob", "eve")))

    assert isinstance(decision, Applied)
    assert said(decision.verdicts) == [
        ("bob", "refused", "last_owner"),
        ("eve", "unchanged", None),
    ]


def test_owners_that_no_list_or_no_time_backs_do_not_remain() -> None:
    desk = account_desk(
        {"root": held("owner"), "eve": held("owner"), "ada": held("owner", until=NOON)},
        listing("root", "ada"),
    )

    decision = decide_revocation(desk, asked(given.revoke("root")))

    assert isinstance(decision, Refused)
    assert decision.reason == "members_refused"
    assert decision.message == (
        "root is the last owner: make another administrator an owner first, or delete the account."
    )


def test_who_is_not_on_the_list_can_be_revoked() -> None:
    desk = account_desk({"root": held("owner"), "eve": held("owner")}, listing("root"))

    assert isinstance(decide_revocation(desk, asked(given.revoke("eve"))), Applied)


def test_revoking_what_is_not_there_is_harmless_and_says_so() -> None:
    for command in (given.revoke("ada"), given.revoke()):
        decision = decide_revocation(account_desk(), asked(command))
        assert isinstance(decision, Unchanged)
        assert decision.why


def test_everyones_ends_alone() -> None:
    desk = account_desk({"root": held("owner"), "ada": held(), "*": held()})

    decision = decide_revocation(desk, asked(given.revoke()))

    assert isinstance(decision, Applied)
    assert [bool(decision.state.held(one, NOON)) for one in ("root", "ada", "*")] == [
        True,
        True,
        False,
    ]


def test_an_owner_who_revokes_themselves_has_no_right_any_more() -> None:
    desk = account_desk({"root": held("owner"), "ada": held("owner")})
    decision = decide_revocation(desk, asked(given.revoke("root")))
    assert isinstance(decision, Applied)

    again = decide_revocation(decision.state, asked(given.revoke("ada")))

    assert isinstance(again, Refused)
    assert again.reason == "not_an_owner"


_PEOPLE = ("root", "ada", "bob", "eve")


@for_all(
    owners=st.sets(st.sampled_from(_PEOPLE), min_size=1),
    by=st.sampled_from(_PEOPLE),
    named=st.lists(st.lists(st.sampled_from(_PEOPLE), min_size=1), max_size=4),
)
def test_whoever_revokes_whom_in_whatever_order_an_owner_is_left(
    owners: set[str], by: str, named: list[list[str]]
) -> None:
    desk = account_desk(dict.fromkeys(sorted(owners), held("owner")))

    for members in named:
        decision = decide_revocation(desk, asked(given.revoke(*members), by=by))
        if isinstance(decision, Applied):
            assert by in desk.owners(NOON)
            desk = decision.state
        assert desk.owners(NOON)
        assert desk.owners(NOON) <= owners
