"""Who becomes an owner without being made one."""

from dataclasses import replace
from datetime import timedelta

import pytest
from keyturn_contracts.access import MemberRole
from keyturn_contracts.rights import Facts, Grant

from services.access.rules.owning import Ownership, Unowned, decide_ownership
from tests.access.given import NOON

NEW = Unowned(account_id="mail", creator="ada", is_created=False, is_deleted=False)
OLD = replace(NEW, is_created=True)
OWNER = Grant(level="owner")


Listed = dict[str, MemberRole]


def facts(listed: Listed | None = None, **grants: Grant) -> Facts:
    """Return a brand with this list, or without one, and these owners of the account."""
    return Facts(has_list=listed is not None, members=listed or {}, grants={"mail": grants})


def given(ownership: Ownership) -> dict[str, tuple[str, str]]:
    return {member: (one.how, one.by) for member, one in ownership.grants.items()}


def test_a_creator_becomes_an_owner_by_themselves_and_without_an_end() -> None:
    ownership = decide_ownership(NEW, facts(), NOON)

    assert given(ownership) == {"ada": ("created", "ada")}
    grant = ownership.grants["ada"]
    assert (grant.level, grant.since, grant.until) == ("owner", NOON, None)
    assert not ownership.is_to_own


@pytest.mark.parametrize("role", ["administrator", "member"])
def test_a_creator_who_is_on_the_list_becomes_one_whatever_they_are(role: MemberRole) -> None:
    listed: Listed = {"root": "administrator", "ada": role}

    assert given(decide_ownership(NEW, facts(listed), NOON)) == {"ada": ("created", "ada")}


def test_a_creator_becomes_one_beside_those_who_were_made_owners_already() -> None:
    ownership = decide_ownership(NEW, facts(None, bob=OWNER), NOON)

    assert given(ownership) == {"ada": ("created", "ada")}


def test_what_a_creator_was_given_before_becomes_ownership_without_an_end() -> None:
    for before in (Grant(), Grant(level="owner", until=NOON + timedelta(days=1))):
        assert given(decide_ownership(NEW, facts(None, ada=before), NOON)) == {
            "ada": ("created", "ada")
        }


def test_a_creator_who_owns_it_for_good_is_told_nothing() -> None:
    ownership = decide_ownership(NEW, facts(None, ada=OWNER), NOON)

    assert (given(ownership), ownership.is_to_own) == ({}, False)


def test_ownership_that_was_taken_away_does_not_come_back() -> None:
    ownership = decide_ownership(OLD, facts(None, bob=OWNER), NOON)

    assert (given(ownership), ownership.is_to_own) == ({}, False)


def test_the_account_of_a_creator_who_has_left_goes_to_the_administrators() -> None:
    listed: Listed = {
        "root": "administrator",
        "bob": "administrator",
        "eve": "member",
    }

    ownership = decide_ownership(NEW, facts(listed), NOON)

    assert given(ownership) == {
        "bob": ("handed_over", "keyturn"),
        "root": ("handed_over", "keyturn"),
    }
    assert not ownership.is_to_own


def test_a_creator_who_was_never_on_the_list_owns_what_they_added_all_the_same() -> None:
    """They count for nothing until they are registered; nobody else is given anything."""
    ownership = decide_ownership(NEW, facts({"root": "administrator"}), NOON, awaited={"ada"})

    assert given(ownership) == {"ada": ("created", "ada")}
    assert not ownership.is_to_own


def test_what_an_owner_has_who_was_never_on_the_list_is_not_handed_over() -> None:
    waiting = facts({"root": "administrator"}, ada=OWNER)

    ownership = decide_ownership(OLD, waiting, NOON, awaited={"ada"})

    assert (given(ownership), ownership.is_to_own) == ({}, False)


@pytest.mark.parametrize("has", [Grant(), Grant(level="owner", until=NOON)])
def test_who_owns_nothing_is_not_awaited(has: Grant) -> None:
    without = facts({"root": "administrator"}, ada=has)

    ownership = decide_ownership(OLD, without, NOON, awaited={"ada", "bob"})

    assert given(ownership) == {"root": ("handed_over", "keyturn")}


@pytest.mark.parametrize("creator", ["a/b", "*", "ä", "x" * 129, ""])
def test_who_could_not_even_be_on_a_list_owns_nothing(creator: str) -> None:
    strange = replace(NEW, creator=creator)

    waiting = decide_ownership(strange, facts(), NOON)
    assert (given(waiting), waiting.is_to_own) == ({}, True)

    handed_over = decide_ownership(
        strange, facts({"root": "administrator"}), NOON, awaited={creator}
    )
    assert given(handed_over) == {"root": ("handed_over", "keyturn")}


def test_an_owner_who_has_left_and_one_whose_time_is_over_are_none() -> None:
    listed: Listed = {"root": "administrator", "bob": "member"}
    left = facts(listed, ada=OWNER, bob=Grant(level="owner", until=NOON))

    assert given(decide_ownership(OLD, left, NOON)) == {"root": ("handed_over", "keyturn")}


def test_as_long_as_one_owner_is_left_nothing_is_handed_over() -> None:
    listed: Listed = {"root": "administrator", "bob": "member"}
    one_left = facts(listed, ada=OWNER, bob=OWNER)

    assert given(decide_ownership(OLD, one_left, NOON)) == {}


def test_without_administrators_it_waits() -> None:
    ownership = decide_ownership(OLD, facts(), NOON)

    assert (given(ownership), ownership.is_to_own) == ({}, True)


def test_a_deleted_account_gets_nobody_and_waits_for_nobody() -> None:
    gone = replace(NEW, is_deleted=True)

    ownership = decide_ownership(gone, facts({"root": "administrator", "ada": "member"}), NOON)

    assert (given(ownership), ownership.is_to_own) == ({}, False)
