"""A batch of messages against the database."""

import json
from asyncio import create_task, gather
from collections import Counter
from itertools import permutations

import pytest
from keyturn_contracts.message import CommandApplied, CommandRefused, Key
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.decisions import NotYetKnown
from shared.messaging.batch import Batch, apply_batch
from shared.messaging.envelope import Asked
from shared.messaging.handlers import Handlers
from tests.batches import asked, deliver, news, published
from tests.messaging.log import totals, traced
from tests.messaging.toy import (
    Add,
    AddOnceOpen,
    AddToMany,
    AddTwice,
    Opened,
    Stubborn,
    Weigh,
    counters,
    decide_add,
    handlers,
    lock_counters,
)
from tests.waiting import eventually

MAIL = Key("acme", "counters", "mail")


def words(batch: Batch) -> list[str]:
    return [
        one.reason if isinstance(one, CommandRefused) else one.outcome for _, one in batch.answers
    ]


async def test_a_redelivered_batch_changes_nothing_and_is_answered_the_same(
    engine: AsyncEngine,
) -> None:
    add = asked(Add(counter_id="mail", amount=2), wants_reply=True)
    refused = asked(Add(counter_id="chat", amount=-1), wants_reply=True)

    batch = await deliver(engine, handlers, add, refused)

    assert words(batch) == ["applied", "too_little"]
    assert await totals(engine) == {"mail": 2}
    replies = ["CommandApplied", "CommandRefused"]
    assert [one.type for one in await published(engine)] == ["Changed", *replies, *replies]


async def test_a_command_repeated_within_its_batch_takes_effect_once(engine: AsyncEngine) -> None:
    command = asked(Add(counter_id="mail", amount=2))

    batch = await deliver(engine, handlers, command, command)

    assert words(batch) == ["applied", "applied"]
    assert batch.answers[0] == batch.answers[1]
    assert await totals(engine) == {"mail": 2}


async def test_an_id_used_for_another_command_is_refused(engine: AsyncEngine) -> None:
    first = asked(Add(counter_id="mail", amount=2))
    second = asked(Add(counter_id="mail", amount=3), command_id=first.id.id)
    third = asked(Add(counter_id="chat", amount=2), command_id=first.id.id)

    at_once = await deliver(engine, handlers, first, second)
    later = await deliver(engine, handlers, third)

    assert sorted(words(at_once)) == ["applied", "id_reused"]
    assert words(later) == ["id_reused"]
    assert await totals(engine) == {"mail": 2}


async def test_another_issuer_and_another_brand_may_use_the_same_id(engine: AsyncEngine) -> None:
    first = asked(Add(counter_id="mail", amount=1))
    theirs = [
        asked(Add(counter_id="mail", amount=2), command_id=first.id.id, issuer="other"),
        asked(Add(counter_id="mail", amount=4), command_id=first.id.id, brand="rival"),
    ]

    batch = await deliver(engine, handlers, first, *theirs)

    assert words(batch) == ["applied", "applied", "applied"]
    assert (await totals(engine), await totals(engine, "rival")) == ({"mail": 3}, {"mail": 4})


async def test_commands_of_one_key_see_each_others_effect(engine: AsyncEngine) -> None:
    batch = await deliver(
        engine,
        handlers,
        asked(Add(counter_id="mail", amount=5)),
        asked(Add(counter_id="mail", amount=-6)),
        asked(Add(counter_id="mail", amount=-5)),
    )

    assert words(batch) == ["applied", "too_little", "applied"]
    assert await totals(engine) == {"mail": 0}


async def test_an_outcome_names_its_own_events_and_the_newest_as_revision(
    engine: AsyncEngine,
) -> None:
    batch = await deliver(
        engine,
        handlers,
        asked(AddTwice(counter_id="mail", amount=1)),
        asked(Add(counter_id="chat", amount=1)),
        asked(AddTwice(counter_id="mail", amount=1)),
        asked(Add(counter_id="mail", amount=0)),
    )

    told = [one for _, one in batch.answers if isinstance(one, CommandApplied)]
    assert [[each.sequence for each in one.events] for one in told] == [[1, 2], [1], [3, 4], []]
    assert [one.changed for one in told] == [True, True, True, False]
    assert told[3].note == "Nothing is added by adding nothing."
    assert [one.announced for one in told] == [2, 1, 2, 0]
    epochs = [one.headers["ce_epoch"] for one in await published(engine)]
    assert [str(each.epoch) for one in told for each in one.events] == epochs
    revisions = [one.revision or 0 for one in told]
    assert revisions[:3] == sorted(set(revisions[:3]))
    assert revisions[3] >= revisions[2], "it found what was added before it"


async def test_what_changes_nothing_has_the_revision_of_all_that_it_may_have_found(
    engine: AsyncEngine,
) -> None:
    first = await deliver(engine, handlers, asked(Add(counter_id="mail", amount=1)))
    second = await deliver(engine, handlers, asked(Add(counter_id="mail", amount=1)))
    [revision, found] = [
        one.revision
        for batch in (first, second)
        for _, one in batch.answers
        if isinstance(one, CommandApplied)
    ]
    same = await deliver(engine, handlers, asked(Add(counter_id="mail", amount=0)))

    [(_, outcome)] = same.answers
    assert isinstance(outcome, CommandApplied)
    assert (outcome.changed, outcome.events) == (False, ())
    assert (revision or 0) < (found or 0) <= (outcome.revision or 0)


async def test_an_event_says_what_caused_it_and_carries_the_trace_on(engine: AsyncEngine) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    command = asked(Add(counter_id="mail", amount=2), trace_parent=trace)

    await deliver(engine, handlers, command)

    [event_] = await published(engine)
    assert (event_.topic, event_.key) == ("keyturn.toy.events", "acme/counters/mail")
    assert json.loads(event_.value) == {"counter_id": "mail", "total": 2}
    assert event_.headers["ce_source"] == "/keyturn/toy"
    assert (event_.headers["ce_epoch"], event_.headers["ce_sequence"]) == ("1", "1")
    assert event_.headers["ce_causationid"] == command.id.id
    assert event_.headers["ce_correlationid"] == command.id.id
    assert event_.headers["traceparent"] == trace


async def test_a_reply_is_a_record_of_its_own_only_for_who_wants_it(engine: AsyncEngine) -> None:
    wanted = asked(Add(counter_id="mail", amount=0), wants_reply=True)

    await deliver(engine, handlers, wanted, asked(Add(counter_id="mail", amount=0)))

    [reply, repeated] = await published(engine)
    assert (reply.topic, reply.key) == ("keyturn.replies.local", wanted.id.id)
    assert reply.headers["ce_type"] == "keyturn.toy.CommandApplied.v1"
    assert reply.headers["ce_causationid"] == wanted.id.id
    assert json.loads(reply.value)["changed"] is False
    assert b"null" not in reply.value
    assert repeated.value == reply.value


async def test_a_rule_that_raises_holds_its_message_and_those_behind_it(
    engine: AsyncEngine,
) -> None:
    bad = asked(Add(counter_id="mail", amount=1, raises="bug"))
    neighbour = asked(Add(counter_id="chat", amount=1))
    behind = asked(Add(counter_id="mail", amount=1))

    batch = await deliver(engine, handlers, bad, neighbour, behind)

    assert [(one.turn.asked, type(one.cause)) for one in batch.held] == [
        (bad, ZeroDivisionError),
        (behind, type(None)),
    ]
    assert await totals(engine) == {"chat": 1}
    again = await deliver(engine, handlers, behind)
    assert words(again) == ["applied"]


async def test_what_came_before_a_rule_that_raises_stands(engine: AsyncEngine) -> None:
    batch = await deliver(
        engine,
        handlers,
        asked(Add(counter_id="mail", amount=1)),
        asked(Add(counter_id="mail", amount=1, raises="unprocessable")),
    )

    assert [type(one.cause) for one in batch.held] == [Stubborn]
    assert await totals(engine) == {"mail": 1}


async def test_a_command_waits_for_news_and_finds_it_in_the_same_batch(
    engine: AsyncEngine,
) -> None:
    command = asked(AddOnceOpen(counter_id="chat", amount=1))

    early = await deliver(engine, handlers, command)
    late = await deliver(engine, handlers, command, news(Opened(counter_id="chat"), 1))

    assert [type(one.cause) for one in early.held] == [NotYetKnown]
    assert words(late) == ["applied"]


@pytest.mark.parametrize("at_once", [True, False])
async def test_news_in_any_order_and_repeated_leaves_the_newest(
    engine: AsyncEngine, *, at_once: bool
) -> None:
    commands: list[Asked[AddOnceOpen]] = []
    for number, order in enumerate(permutations([1, 2, 3, 2])):
        name = f"c{number}"
        told = [news(Opened(counter_id=name, is_open=one != 2), one) for one in order]
        for part in [told] if at_once else [[one] for one in told]:
            await deliver(engine, handlers, *part)
        commands.append(asked(AddOnceOpen(counter_id=name, amount=1)))

    batch = await deliver(engine, handlers, *commands)

    assert words(batch) == ["applied"] * 24


async def test_news_that_cannot_be_applied_spoils_only_itself(engine: AsyncEngine) -> None:
    good, bad = news(Opened(counter_id="chat"), 1), news(Opened(counter_id="a", note="bad"), 1)

    batch = await deliver(engine, handlers, bad, good)

    assert [(one.news, type(one.cause)) for one in batch.not_applied] == [(bad, IntegrityError)]
    assert batch.held == []
    opened = await deliver(engine, handlers, asked(AddOnceOpen(counter_id="chat", amount=1)))
    assert words(opened) == ["applied"]


async def test_a_bulk_sees_what_came_before_it_and_is_seen_by_what_comes_after(
    engine: AsyncEngine,
) -> None:
    batch = await deliver(
        engine,
        handlers,
        asked(Add(counter_id="mail-1", amount=5)),
        asked(AddToMany(counter_id="mail", many=2)),
        asked(AddToMany(counter_id="mail", many=1)),
        asked(Add(counter_id="mail", amount=3)),
    )

    assert words(batch) == ["applied"] * 4
    assert await totals(engine) == {"mail": 3, "mail-1": 7, "mail-2": 1}
    bulk = batch.answers[1][1]
    assert isinstance(bulk, CommandApplied)
    assert (len(bulk.events), bulk.not_applied, len(bulk.verdicts)) == (2, 1, 1)


async def test_a_bulk_gets_all_its_commands_of_a_round_at_once_and_the_longest_run_of_each_key(
    engine: AsyncEngine,
) -> None:
    """Of `a` one command stands between its bulks, so its last one has a round of its own."""
    await deliver(
        engine,
        handlers,
        asked(AddToMany(counter_id="a", many=1)),
        asked(AddToMany(counter_id="b", many=1)),
        asked(AddToMany(counter_id="a", many=1)),
        asked(Add(counter_id="a", amount=1)),
        asked(AddToMany(counter_id="a", many=1)),
        asked(Add(counter_id="c", amount=1)),
        asked(AddToMany(counter_id="c", many=1)),
    )

    assert await traced(engine) == ["many a b a", "many c", "many a"]
    assert await totals(engine) == {"a": 1, "a-1": 3, "b-1": 1, "c": 1, "c-1": 1}


async def test_a_bulk_that_raises_alone_is_held_and_its_neighbours_stand(
    engine: AsyncEngine,
) -> None:
    first = asked(AddToMany(counter_id="mail", many=1))
    bad = asked(AddToMany(counter_id="mail", many=2, raises=True))
    behind = asked(AddToMany(counter_id="mail", many=2))
    other = asked(AddToMany(counter_id="chat", many=1))
    after = asked(Add(counter_id="mail", amount=1))

    batch = await deliver(engine, handlers, first, bad, behind, other, after)

    assert [(one.turn.asked, type(one.cause)) for one in batch.held] == [
        (bad, ZeroDivisionError),
        (behind, type(None)),
        (after, type(None)),
    ]
    assert sorted(words(batch)) == ["applied", "applied"]
    assert await totals(engine) == {"mail-1": 1, "chat-1": 1}


async def test_a_bulk_that_refuses_is_answered_so(engine: AsyncEngine) -> None:
    batch = await deliver(engine, handlers, asked(AddToMany(counter_id="mail", many=0)))

    assert words(batch) == ["too_few"]


async def test_a_command_that_no_handler_takes_is_held_for_a_person(engine: AsyncEngine) -> None:
    batch = await deliver(engine, Handlers(), asked(Add(counter_id="mail", amount=1)))

    assert [type(one.cause).__name__ for one in batch.held] == ["NoHandler"]


async def test_a_later_outcome_leaves_the_command_open(engine: AsyncEngine) -> None:
    weigh = asked(Weigh(counter_id="mail"))
    await deliver(engine, handlers, asked(Add(counter_id="mail", amount=1)))

    batch = await deliver(engine, handlers, weigh, weigh)

    assert (batch.answers, batch.later) == ([], [weigh.id])


async def test_the_same_command_in_two_transactions_at_once_takes_effect_once(
    engine: AsyncEngine,
) -> None:
    command = asked(Add(counter_id="mail", amount=2))

    async def apply() -> Batch:
        async with engine.begin() as connection:
            return await apply_batch(connection, handlers, [command])

    at_once = await gather(*[apply() for _ in range(4)], return_exceptions=True)
    retried = await deliver(engine, handlers, command)

    assert Counter(type(one) for one in at_once)[Batch] >= 1
    assert all(isinstance(one, Batch) or "unique" in str(one).lower() for one in at_once)
    assert words(retried) == ["applied"]
    assert await totals(engine) == {"mail": 2}
    assert [one.sequence for one in await published(engine)] == [1]


async def test_what_is_locked_is_locked_in_the_order_of_keys(engine: AsyncEngine) -> None:
    """Two transactions that lock in different orders wait for each other for ever."""
    await deliver(engine, handlers, *[asked(Add(counter_id=one, amount=1)) for one in "az"])
    first, last = (Key("acme", "counters", one) for one in "az")
    async with engine.connect() as waiter, engine.connect() as holder, engine.connect() as watcher:
        await lock_counters(holder, [first])
        waiting = create_task(lock_counters(waiter, [last, first]))

        async def is_waiting() -> bool:
            await watcher.rollback()
            return bool(await watcher.scalar(text("SELECT 1 FROM pg_locks WHERE NOT granted")))

        await eventually(is_waiting)
        unlocked = await watcher.scalars(
            text("SELECT id FROM counter WHERE brand_id = 'acme' FOR UPDATE SKIP LOCKED")
        )
        found = unlocked.all()
        await watcher.rollback()
        await holder.rollback()
        await waiting

    assert found == ["z"]


async def test_the_number_of_statements_does_not_depend_on_the_number_of_messages(
    engine: AsyncEngine,
) -> None:
    counted = Counter[int]()
    for size in (1, 50):
        names = [f"{size}-{n}" for n in range(size)]
        await deliver(engine, handlers, *[asked(Add(counter_id=name, amount=1)) for name in names])
        batch = [
            *[news(Opened(counter_id=name), 1) for name in names],
            *[asked(Add(counter_id=name, amount=1), wants_reply=True) for name in names],
            *[asked(AddTwice(counter_id=name, amount=1)) for name in names],
            *[asked(Weigh(counter_id=name)) for name in names],
            *[asked(AddToMany(counter_id=name, many=3)) for name in names],
        ]

        def count(*_: object, size: int = size) -> None:
            counted[size] += 1

        event.listen(engine.sync_engine, "before_cursor_execute", count)
        async with engine.begin() as connection:
            done = await apply_batch(connection, handlers, batch)
        event.remove(engine.sync_engine, "before_cursor_execute", count)
        assert (len(done.answers), len(done.later), done.held) == (3 * size, size, [])

    # News 1, recall 1, lock 2, save 1, bulk: trace 1, lock 2, save 1; latest 2, outbox 1, inbox 1,
    # replies 1; and around news and the bulk a savepoint and its release.
    assert counted == {1: 18, 50: 18}


async def test_each_announced_sequence_is_one_higher_whoever_announces(
    engine: AsyncEngine,
) -> None:
    only_add = Handlers(counters.command(Add, decide_add))

    async def add(number: int) -> None:
        for _ in range(5):
            async with engine.begin() as connection:
                await apply_batch(
                    connection,
                    only_add,
                    [
                        asked(Add(counter_id=one, amount=1), issuer=f"sender-{number}")
                        for one in ("mail", "chat")
                    ],
                )

    # Both counters are there: on one that is not, nothing holds the others off but a retry.
    await deliver(engine, handlers, *[asked(Add(counter_id=o, amount=1)) for o in ("mail", "chat")])
    await gather(*[add(number) for number in range(4)])

    sent = await published(engine)
    for one in ("mail", "chat"):
        found = [each.sequence for each in sent if each.key == f"acme/counters/{one}"]
        assert found == list(range(1, 22))
    assert await totals(engine) == {"mail": 21, "chat": 21}
