"""With which outcomes a copy knows that it is new enough."""

import pytest
from keyturn_client.replica.access import AccessCopy
from keyturn_client.replica.hearing import can_be_heard, has_heard, is_of_access
from keyturn_client.replica.installations import Installations
from keyturn_contracts.message import CommandApplied, Event

from tests.client.replicas import (
    BRAND,
    announced,
    deleted,
    granted,
    installed,
    outcome,
    read,
    revoked,
)


class Copies:
    """What a replica of the brand has heard."""

    def __init__(self) -> None:
        self.installations = Installations(BRAND)
        self.access = AccessCopy(BRAND, self.installations.facts, 100)

    def hear(self, *events: Event, epoch: int = 1, sequence: int = 1) -> None:
        records = [read(announced(one, epoch=epoch, sequence=sequence)) for one in events]
        self.installations.hear(records)
        self.access.hear(records)

    def have_heard(self, at_least: CommandApplied | int) -> bool:
        return has_heard(at_least, self.access, self.installations)


@pytest.fixture
def copies() -> Copies:
    return Copies()


def test_all_events_that_an_outcome_names_are_to_be_heard(copies: Copies) -> None:
    told = outcome(granted("bob"), deleted(), installed(), sequence=2)
    copies.hear(granted("bob"), deleted(), sequence=2)
    copies.hear(installed(), sequence=1)
    assert not copies.have_heard(told)

    copies.hear(installed(), sequence=2)
    assert copies.have_heard(told)
    copies.hear(revoked("bob"), sequence=3)
    assert copies.have_heard(told)


CHANGES: list[tuple[Event, Event]] = [
    (granted("bob"), revoked("bob")),
    (installed(), installed(state="uninstalling")),
]


@pytest.mark.parametrize(("before", "after"), CHANGES, ids=["grant", "installation"])
def test_what_was_heard_before_a_restore_is_no_news_of_what_came_after_it(
    copies: Copies, before: Event, after: Event
) -> None:
    copies.hear(before, epoch=1, sequence=900)
    told = outcome(after, epoch=2, sequence=1)
    assert not copies.have_heard(told)

    copies.hear(after, epoch=2, sequence=1)
    assert copies.have_heard(told)
    assert copies.have_heard(outcome(before, epoch=1, sequence=901)), "it is from before"
    assert not copies.have_heard(outcome(after, epoch=None, sequence=1)), "nobody knows"


def test_what_was_so_already_was_announced_by_others_and_nobody_here_knows_where() -> None:
    copies = Copies()
    copies.hear(granted("bob"))
    nothing = outcome(changed=False, revision=7)
    partly = outcome(granted("bob"), not_applied=1)

    assert copies.have_heard(outcome(granted("bob")))
    for one in (nothing, partly):
        assert not copies.have_heard(one)
        assert not can_be_heard(one)
        assert is_of_access(one), "the service can be asked"


def test_an_outcome_that_announced_more_than_it_names_is_answered_by_the_service(
    copies: Copies,
) -> None:
    many = [granted(f"user{n}") for n in range(100)]
    copies.hear(*many)

    assert copies.have_heard(outcome(*many))
    assert not copies.have_heard(outcome(*many, announced=101))
    # Of an older release, which did not say how many there were.
    assert not copies.have_heard(outcome(granted("user0"), announced=None))
    assert not copies.have_heard(1)


def test_the_access_service_is_asked_with_its_own_revisions_alone() -> None:
    assert is_of_access(outcome(granted()))
    assert is_of_access(5)
    assert is_of_access(None)
    assert not is_of_access(outcome(deleted(), command="DeleteAccount"))
    assert not is_of_access(outcome(command="DeleteAccount", changed=False, revision=3))
    assert not is_of_access(outcome(changed=False, revision=None))


def test_an_outcome_of_a_service_that_is_not_followed_is_an_error(copies: Copies) -> None:
    told = outcome(granted())
    [event] = told.events
    other = event.model_copy(update={"type": "keyturn.catalog.LicenceChanged.v1"})
    with pytest.raises(ValueError, match="LicenceChanged"):
        copies.have_heard(told.model_copy(update={"events": (other,)}))
