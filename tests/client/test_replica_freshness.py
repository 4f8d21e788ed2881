"""Since when a copy is known to hold everything, and what says that it is not the same topic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyturn_client.replica.freshness import Freshness, Origin, RewoundError, now
from keyturn_client.wire import Place

A: Place = ("t", 0)
B: Place = ("t", 1)


def test_nothing_is_known_before_every_end_is_reached() -> None:
    fresh = Freshness()
    fresh.aim({A: 2, B: 1}, asked_at=10.0)
    assert (fresh.is_reached, fresh.known_at) == (False, None)

    fresh.advance({A: 2, B: 0})
    assert (fresh.is_reached, fresh.known_at) == (False, None)

    fresh.advance({A: 2, B: 1})
    assert (fresh.is_reached, fresh.known_at) == (True, 10.0)


def test_it_is_as_new_as_the_asking_however_much_later_the_ends_are_reached() -> None:
    fresh = Freshness()
    fresh.aim({A: 1}, asked_at=10.0)
    fresh.advance({A: 1})
    fresh.aim({A: 5}, asked_at=20.0)
    fresh.advance({A: 4})
    assert fresh.known_at == 10.0

    fresh.advance({A: 7})
    assert fresh.known_at == 20.0


def test_where_nothing_came_asking_alone_makes_it_new() -> None:
    fresh = Freshness()
    fresh.aim({A: 0, B: 0}, asked_at=10.0)
    assert fresh.known_at == 10.0

    fresh.aim({A: 0, B: 0}, asked_at=11.0)
    assert fresh.known_at == 11.0


def test_a_topic_that_ends_before_what_was_read_is_another_one() -> None:
    fresh = Freshness()
    fresh.aim({A: 5}, asked_at=10.0)
    fresh.advance({A: 5})

    with pytest.raises(RewoundError):
        fresh.aim({A: 4}, asked_at=11.0)
    with pytest.raises(RewoundError):
        fresh.advance({A: 4})
    assert fresh.known_at == 10.0


def test_a_topic_of_which_a_partition_is_gone_is_another_one() -> None:
    fresh = Freshness()
    fresh.advance({A: 5})

    with pytest.raises(RewoundError):
        fresh.aim({B: 5}, asked_at=10.0)


@pytest.mark.parametrize(
    "other",
    [
        Origin("here", {"t": b"another"}),
        Origin("elsewhere", {"t": b"one"}),
        Origin("here", {"t": b"one", "more": b"two"}),
    ],
)
def test_a_topic_of_another_id_or_cluster_is_another_one(other: Origin) -> None:
    fresh = Freshness()
    fresh.recognise(Origin("here", {"t": b"one"}))
    fresh.recognise(Origin("here", {"t": b"one"}))

    with pytest.raises(RewoundError):
        fresh.recognise(other)
    with pytest.raises(RewoundError):
        fresh.recognise(other)


@given(st.lists(st.tuples(st.sampled_from(["write", "read", "ask"]), st.integers(0, 3))))
def test_it_never_claims_more_than_was_heard(steps: list[tuple[str, int]]) -> None:
    """Time is the number of the step; what was written by then has to have been read."""
    fresh = Freshness()
    written = read = 0
    at_time: list[int] = []
    for time, (step, count) in enumerate(steps):
        at_time.append(written)
        match step:
            case "write":
                written += count
            case "read":
                read = min(written, read + count)
                fresh.advance({A: read})
            case _:
                fresh.aim({A: written}, asked_at=time)
        if fresh.known_at is not None:
            assert at_time[int(fresh.known_at)] <= read
            assert fresh.known_at <= time


def test_the_clock_only_goes_on() -> None:
    assert now() <= now()
