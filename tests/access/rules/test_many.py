"""What decisions look at where commands of one batch name very many members together."""

from collections.abc import Iterator, Mapping

from services.access.rules.grant import Grant
from services.access.rules.granting import decide_grant, decide_grant_to_all
from services.access.rules.members import MemberList
from services.access.rules.revoking import decide_revocation
from services.access.rules.sharing import Account, GrantsDesk
from shared.decisions import Applied, Refused
from tests.access import given
from tests.access.given import LOUD, NOON
from tests.access.rules.on_desk import asked, held

CROWD = 2000


class Counted(Mapping[str, Grant]):
    """Grants that count how many of them were looked at."""

    def __init__(self, grants: Mapping[str, Grant]) -> None:
        self._grants = grants
        self.looks = 0

    def __getitem__(self, member: str) -> Grant:
        self.looks += 1
        return self._grants[member]

    def __iter__(self) -> Iterator[str]:
        for member in self._grants:
            self.looks += 1
            yield member

    def __len__(self) -> int:
        return len(self._grants)


def crowded() -> tuple[GrantsDesk, Counted]:
    """Return an account with two owners that a crowd uses, and its grants."""
    crowd = {f"user-{one}": held() for one in range(CROWD)}
    grants = Counted({"root": held("owner"), "ada": held("owner"), **crowd})
    desk = GrantsDesk.of(Account(extension=LOUD, name="Account mail"), grants, MemberList())
    grants.looks = 0
    return desk, grants


def named(at: int) -> tuple[str, ...]:
    return tuple(f"user-{one}" for one in range(at, at + 10))


def test_a_decision_looks_at_who_asks_at_who_is_named_and_at_the_owners() -> None:
    desk, grants = crowded()

    for at in range(0, 100, 10):
        decision = decide_revocation(desk, asked(given.revoke(*named(at))))
        assert isinstance(decision, Applied)
        desk = decision.state
    assert len(desk.changed) == 100
    assert grants.looks <= 10 * (1 + 10 + 2)

    grants.looks = 0
    decision = decide_grant(desk, asked(given.grant(*named(0), *named(200), level="owner")))
    assert isinstance(decision, Applied)
    assert grants.looks <= 1 + 20
    assert decision.state.owners(NOON) == {"root", "ada", *named(0), *named(200)}


def test_a_refusal_and_what_is_for_everyone_look_at_no_more() -> None:
    desk, grants = crowded()

    for decision in (
        decide_grant(desk, asked(given.grant(*named(0)), by="user-1")),
        decide_grant_to_all(desk, asked(given.grant_all(), by="user-1")),
        decide_revocation(desk, asked(given.revoke(*named(0)), by="user-1")),
    ):
        assert isinstance(decision, Refused)
    assert isinstance(decide_grant_to_all(desk, asked(given.grant_all())), Applied)
    assert grants.looks <= 4 * (1 + 2 + 1)


def test_what_one_command_changed_the_next_one_sees() -> None:
    desk, _ = crowded()

    first = decide_revocation(desk, asked(given.revoke("ada")))
    assert isinstance(first, Applied)
    second = decide_grant(first.state, asked(given.grant("user-1", level="owner")))
    assert isinstance(second, Applied)
    third = decide_revocation(second.state, asked(given.revoke("root", "user-1")))
    assert isinstance(third, Applied)

    assert [one.subject for one in third.verdicts] == ["user-1"]
    assert third.state.owners(NOON) == {"user-1"}
    assert third.state.changed.keys() == {"ada", "root", "user-1"}
