"""What cannot be applied now: held, tried again, and in the end told to somebody."""

from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.decisions import NotYetKnown, Refused
from shared.messaging.handlers import BulkCommand, Handlers
from shared.messaging.held import HeldRecord, Limits, Place, stand
from shared.messaging.held_desk import (
    count_held,
    drop_held,
    find_held_command,
    list_held,
    retry_held,
)
from shared.messaging.record import RefusedOnArrival, Unreadable
from tests.batches import asked, news, published
from tests.messaging.log import COMMANDS, LIMITS, Log, answers, raw_record, totals
from tests.messaging.toy import (
    Add,
    AddOnceOpen,
    AddToMany,
    Opened,
    Stubborn,
    add_to_many,
)

BUG = Add(counter_id="mail", amount=1, raises="bug")
ONE = Add(counter_id="mail", amount=1)


async def repaired(log: Log, place: Place, amount: int = 1) -> None:
    """Have the command at this place read as one whose rule does not raise."""
    before = log.contents[place]
    assert not isinstance(before, (RefusedOnArrival, Unreadable))
    log.contents[place] = asked(
        Add(counter_id="mail", amount=amount),
        command_id=getattr(before, "id").id,  # noqa: B009  whatever content it is
    )


async def test_a_command_that_raises_is_held_with_those_behind_it_and_no_other(
    engine: AsyncEngine,
) -> None:
    log = Log(engine)
    log.append(asked(BUG), asked(ONE), asked(Add(counter_id="chat", amount=1)))
    first = await log.poll()
    log.append(asked(ONE), asked(Add(counter_id="chat", amount=1)))
    second = await log.poll()

    assert [put.standing.state for put in first.held] == ["retried", "queued"]
    assert (first.failures, second.failures) == (1, 0)
    assert await log.states() == [
        (0, "retried", "ZeroDivisionError"),
        (1, "queued", ""),
        (3, "queued", ""),
    ]
    assert await totals(engine) == {"chat": 2}


async def test_when_it_works_all_of_its_key_follow_in_the_order_of_the_log(
    engine: AsyncEngine,
) -> None:
    log = Log(engine)
    bad = asked(BUG)
    [place, *_] = log.append(bad, asked(Add(counter_id="mail", amount=-1)))
    await log.poll()
    await repaired(log, place)
    log.append(asked(Add(counter_id="mail", amount=-1)), asked(Add(counter_id="mail", amount=5)))

    done = await log.later(2)

    assert list(answers(done).values()) == ["applied", "applied", "too_little", "applied"]
    assert (await log.held(), await totals(engine)) == ([], {"mail": 5})


async def test_nothing_is_tried_before_it_is_due(engine: AsyncEngine) -> None:
    log = Log(engine)
    [place] = log.append(asked(BUG))
    first = await log.poll()
    await repaired(log, place)

    early = await log.later(0.5)

    assert first.next_due is not None
    assert first.next_due == early.next_due
    assert first.next_due > log.now
    assert early.answers == []
    assert len((await log.later(1)).answers) == 1


async def test_pauses_grow_and_after_so_many_attempts_it_is_parked(engine: AsyncEngine) -> None:
    log = Log(engine, limits=Limits(attempts=4, first_pause=timedelta(seconds=1)))
    log.append(asked(BUG), asked(ONE))
    pauses: list[float] = []
    done = await log.poll()
    while done.next_due is not None and len(pauses) < 10:
        pauses.append((done.next_due - log.now).total_seconds())
        done = await log.later(pauses[-1])

    assert len(pauses) == 3
    assert all(before < after for before, after in pairwise(pauses))
    assert await log.states() == [(0, "parked", "ZeroDivisionError"), (1, "queued", "")]
    assert (await log.later(10_000)).held == []


async def test_what_can_never_work_is_parked_at_once(engine: AsyncEngine) -> None:
    log = Log(engine)
    log.append(asked(Add(counter_id="mail", amount=1, raises="unprocessable")), asked(ONE))

    done = await log.poll()

    assert await log.states() == [(0, "parked", Stubborn.__name__), (1, "queued", "")]
    assert done.next_due is None


async def test_news_wakes_what_waits_for_it_in_the_same_transaction(engine: AsyncEngine) -> None:
    log = Log(engine)
    log.append(asked(AddOnceOpen(counter_id="mail", amount=1)), asked(ONE))
    await log.poll()
    assert await log.states() == [(0, "waits", "not_open"), (1, "queued", "")]

    log.tell(news(Opened(counter_id="mail"), 1))
    done = await log.poll()

    assert (done.news, list(answers(done).values())) == (1, ["applied", "applied"])
    assert (await log.held(), await totals(engine)) == ([], {"mail": 2})


async def test_what_waits_too_long_becomes_what_it_is_otherwise(engine: AsyncEngine) -> None:
    log = Log(engine)
    waits = asked(AddOnceOpen(counter_id="mail", amount=1), wants_reply=True)
    log.append(waits, asked(ONE))
    first = await log.poll()
    tried = [await log.later(0.9) for _ in range(3)]
    last = await log.later(0.4)

    assert [one.answers for one in (first, *tried)] == [[], [], [], []]
    assert list(answers(last).values()) == ["not_open", "applied"]
    assert await log.outcome(waits) == "not_open"
    assert (await log.held(), await totals(engine)) == ([], {"mail": 1})
    assert "CommandRefused" in {one.type for one in await published(engine)}


async def test_what_waits_is_due_at_its_limit_at_the_latest(engine: AsyncEngine) -> None:
    log = Log(engine)
    log.append(asked(AddOnceOpen(counter_id="mail", amount=1)))
    first = await log.poll()
    second = await log.later(2.5)

    assert first.next_due is not None
    assert second.next_due == log.now + timedelta(seconds=0.5)


async def test_a_bulk_may_wait_too(engine: AsyncEngine) -> None:
    async def wait(*_: object) -> list[Refused[object, str]]:
        raise NotYetKnown(Refused("not_open", "It was never opened."))

    log = Log(engine, Handlers(BulkCommand(AddToMany, wait)))
    bulk = asked(AddToMany(counter_id="mail", many=1))
    log.append(bulk)
    await log.poll()

    assert await log.states() == [(0, "waits", "not_open")]
    await log.later(3)
    assert await log.outcome(bulk) == "not_open"


async def test_a_repeat_of_a_held_command_queues_and_is_answered_the_same(
    engine: AsyncEngine,
) -> None:
    log = Log(engine)
    bad = asked(BUG)
    [place] = log.append(bad)
    await log.poll()
    [again] = log.append(bad)
    await log.poll()
    assert [state for _, state, _ in await log.states()] == ["retried", "queued"]

    for one in (place, again):
        await repaired(log, one)
    done = await log.later(2)

    assert [answer for _, answer in done.answers] == [done.answers[0][1]] * 2
    assert (await log.held(), await totals(engine)) == ([], {"mail": 1})


async def test_a_repeat_of_a_known_command_is_answered_though_its_key_is_held(
    engine: AsyncEngine,
) -> None:
    log = Log(engine)
    known = asked(ONE)
    log.append(known, asked(BUG))
    await log.poll()
    log.append(known)

    done = await log.poll()

    assert list(answers(done).values()) == ["applied"]
    assert len(await log.held()) == 1


async def test_a_command_refused_on_arrival_does_not_queue(engine: AsyncEngine) -> None:
    log = Log(engine)
    refused = RefusedOnArrival(
        id=asked(ONE).id,
        key=asked(ONE).key,
        type=Add.type_name(),
        digest=b"1",
        reason="invalid",
        message="A sentence.",
        at=log.now,
    )
    log.append(asked(BUG), refused)

    done = await log.poll()

    assert list(answers(done).values()) == ["invalid"]


async def test_a_held_command_whose_signature_is_not_believed_any_more_is_unreadable(
    engine: AsyncEngine,
) -> None:
    log = Log(engine)
    [place, _] = log.append(asked(BUG), asked(ONE))
    await log.poll()
    log.contents[place] = Unreadable("unknown_key", "kid")

    done = await log.later(2)

    assert [one.reason for _, one in done.unreadable] == ["unknown_key"]
    assert (await log.held(), await totals(engine)) == ([], {"mail": 1})


async def test_a_dropped_command_has_its_drop_decide_and_its_key_goes_on(
    engine: AsyncEngine,
) -> None:
    log = Log(engine)
    bad = asked(Add(counter_id="mail", amount=1, raises="unprocessable"), wants_reply=True)
    [place, _] = log.append(bad, asked(ONE))
    await log.poll()

    async with engine.begin() as connection:
        assert await drop_held(connection, place, log.now)
    done = await log.poll()

    assert list(answers(done).values()) == ["dropped", "applied"]
    assert (await log.held(), await totals(engine)) == ([], {"mail": 1})
    assert await log.outcome(bad) == "dropped"


async def test_without_a_drop_of_its_own_a_dropped_command_changes_nothing(
    engine: AsyncEngine,
) -> None:
    log = Log(engine)
    waits = asked(AddOnceOpen(counter_id="mail", amount=1))
    bulk = asked(AddToMany(counter_id="mail", many=1, raises=True))
    [first, second, _] = log.append(waits, bulk, asked(ONE))
    await log.poll()

    async with engine.begin() as connection:
        # One that only queues is given up when its turn comes.
        assert await drop_held(connection, second, log.now)
        assert (await list_held(connection))[1].state == "queued"
        assert await drop_held(connection, first, log.now)
    done = await log.poll()

    assert list(answers(done).values()) == ["dropped", "dropped", "applied"]
    assert await totals(engine) == {"mail": 1}


async def test_a_dropped_bulk_has_its_drop_decide(engine: AsyncEngine) -> None:
    only_bulk = Handlers(BulkCommand(AddToMany, add_to_many, drop=add_to_many))
    log = Log(engine, only_bulk)
    [place] = log.append(asked(AddToMany(counter_id="mail", many=1, raises=True)))
    await log.poll()
    command_id = (await log.held())[0].id.id
    log.contents[place] = asked(AddToMany(counter_id="mail", many=0), command_id=command_id)

    async with engine.begin() as connection:
        await drop_held(connection, place, log.now)
    done = await log.poll()

    assert list(answers(done).values()) == ["too_few"]


async def test_an_operator_has_a_parked_command_tried_again(engine: AsyncEngine) -> None:
    log = Log(engine)
    [place, behind] = log.append(
        asked(Add(counter_id="mail", amount=1, raises="unprocessable")), asked(ONE)
    )
    await log.poll()
    await repaired(log, place)
    async with engine.begin() as connection:
        assert not await retry_held(connection, behind, log.now)
        assert await retry_held(connection, place, log.now)
        assert not await retry_held(connection, place._replace(offset=99), log.now)

    done = await log.poll()

    assert list(answers(done).values()) == ["applied", "applied"]
    assert await totals(engine) == {"mail": 2}


async def test_an_operator_sees_what_is_held_and_nothing_of_its_content(
    engine: AsyncEngine,
) -> None:
    log = Log(engine)
    bad = asked(BUG)
    places = log.append(bad, asked(ONE), asked(AddOnceOpen(counter_id="chat", amount=1)))
    await log.poll()

    async with engine.connect() as connection:
        all_of_them = await list_held(connection)
        after = await list_held(connection, after=places[0], limit=1)
        waiting = await list_held(connection, state="waits")
        first = await find_held_command(connection, places[0])
        counted = await count_held(connection)
        assert await find_held_command(connection, Place(COMMANDS, 0, 2**40)) is None

    assert [one.place for one in all_of_them] == places
    assert [one.place for one in after] == [places[1]]
    assert [one.place for one in waiting] == [places[2]]
    assert first is not None
    assert first == all_of_them[0]
    assert (first.command, first.id, first.key) == ("Add", bad.id, bad.key)
    assert first.size == len(bad.evidence.value)
    assert counted == {"waits": 1, "retried": 1, "parked": 0, "queued": 1}


@pytest.mark.parametrize(
    "limits",
    [Limits(rows=3, first_pause=timedelta(seconds=1)), Limits(bytes=1, first_pause=timedelta(1))],
)
async def test_what_is_too_much_for_one_transaction_follows_in_the_next(
    engine: AsyncEngine, limits: Limits
) -> None:
    log = Log(engine, limits=limits)
    [place, *_] = log.append(asked(BUG), *[asked(ONE) for _ in range(9)])
    await log.poll()
    await repaired(log, place)
    async with engine.begin() as connection:
        await retry_held(connection, place, log.now)
    log.append(asked(ONE))

    first = await log.poll()
    polls = 1
    while await log.held() and polls < 20:
        assert (await log.poll()).answers
        polls += 1

    assert 1 <= len(first.answers) <= 3
    assert first.next_due == log.now
    assert polls >= 4
    assert await totals(engine) == {"mail": 11}


async def test_other_partitions_wait_for_nothing(engine: AsyncEngine) -> None:
    log = Log(engine)
    log.append(asked(BUG))
    log.append(asked(Add(counter_id="chat", amount=1)), partition=1)
    await log.poll()

    # Only what we own is taken up.
    del log.records[next(iter(log.records))]
    del log.owned[next(iter(log.owned))]
    done = await log.later(1000)

    assert (done.held, done.next_due) == ([], None)
    assert await log.states() == [(0, "retried", "ZeroDivisionError")]


def test_a_pause_is_never_above_the_longest() -> None:
    limits = Limits(first_pause=timedelta(milliseconds=20), longest_pause=timedelta(seconds=30))

    assert all(
        timedelta(milliseconds=15) <= limits.pause(attempt) <= timedelta(seconds=30)
        for attempt in range(1, 1000)
    )
    assert limits.pause(1) <= timedelta(milliseconds=20)


def test_attempts_count_for_one_cause_alone() -> None:
    log_now = asked(ONE).at
    waited = HeldRecord(
        record=raw_record(0),
        key=asked(ONE).key,
        state="waits",
        attempts=11,
        first_at=log_now,
        is_dropped=False,
    )

    assert stand(ZeroDivisionError(), waited, LIMITS, log_now).attempts == 1
    assert stand(NotYetKnown(Refused("a", "b")), waited, LIMITS, log_now).attempts == 12
