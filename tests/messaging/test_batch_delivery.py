"""What fails in the database: tried again whole, then in ever smaller parts, and set apart."""

from asyncio import create_task, gather
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from keyturn_contracts.message import Key
from sqlalchemy import ExceptionContext, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database.engines import create_engine
from shared.messaging import position
from shared.messaging.delivery import Unavailable, deliver
from shared.messaging.envelope import Asked, News
from shared.messaging.failures import classify, name_of, sqlstate_of
from shared.messaging.handlers import Aggregate, Handlers, Listener
from shared.messaging.held_desk import retry_held
from shared.messaging.poll import Poll, Processed
from shared.messaging.record import Ignored, Unreadable
from shared.messaging.unreadable import KEPT_A_DAY, LARGEST_KEPT
from tests.batches import Database, asked, news, published
from tests.messaging import toy
from tests.messaging.log import LIMITS, Log, answers, raw_record, totals
from tests.messaging.toy import Add, Opened, handlers
from tests.waiting import eventually

NUL = "a\x00b"
"""PostgreSQL takes no such text: an error of the database, not of a rule."""


def add(name: str, amount: int = 1, note: str = "") -> Asked[Add]:
    return asked(Add(counter_id=name, amount=amount, note=note))


def count_statements(engine: AsyncEngine) -> list[str]:
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    return statements


async def test_one_bad_message_among_five_hundred_holds_none_of_its_neighbours(
    engine: AsyncEngine,
) -> None:
    log = Log(engine)
    bad, behind = add("bad", note=NUL), add("bad")
    for number in range(500):
        if number == 250:
            log.append(bad)
        log.append(add(f"c{number:03}"))
    log.append(behind)

    done = await log.poll()

    assert (len(done.answers), done.failures) == (500, 1)
    assert [put.key.id for put in done.held] == ["bad", "bad"]
    assert await log.states() == [(250, "retried", "database_22021"), (501, "queued", "")]
    assert await totals(engine) == {f"c{number:03}": 1 for number in range(500)}
    [(_, owned)] = done.owned.items()
    assert owned.next_offset == 502


@pytest.mark.parametrize(
    "bad",
    [
        add("bad", note=NUL),
        add("bad", amount=2**70),
        asked(Add(counter_id="bad", amount=1, raises="negative")),
    ],
    ids=["text", "a number the driver cannot encode", "a constraint"],
)
async def test_what_the_database_refuses_is_tried_alone_and_parked_in_the_end(
    engine: AsyncEngine, bad: Asked[Add]
) -> None:
    log = Log(engine, limits=replace(LIMITS, attempts=4))
    log.append(bad, add("bad"), add("good"))
    await log.poll()
    committed = len(await published(engine))
    assert (committed, await totals(engine)) == (1, {"good": 1})

    statements = count_statements(engine)
    for more in (1, 2, 3):
        log.append(add("good"))
        statements.clear()
        done = await log.later(60)

        # Once with the neighbour, once the bad one by itself: nobody's work was undone for it.
        assert len([one for one in statements if one.startswith("INSERT INTO counter")]) == 2
        assert (len(done.answers), len(await published(engine))) == (1, committed + more)

    states = await log.states()
    assert [(offset, state) for offset, state, _ in states] == [(0, "parked"), (1, "queued")]
    assert (await log.later(1000)).held == []
    assert await totals(engine) == {"good": 4}


async def test_those_behind_a_bad_one_are_not_blamed_for_it(engine: AsyncEngine) -> None:
    log = Log(engine)
    [first, second, _] = log.append(add("bad", note=NUL), add("bad", note=NUL), add("bad"))
    await log.poll()
    log.contents[first] = asked(
        Add(counter_id="bad", amount=1), command_id=(await log.held())[0].id.id
    )

    once = await log.later(2)
    twice = await log.later(2)

    assert list(answers(once).values()) == ["applied"]
    # The next one had its turn at once, and is the one to blame now.
    assert (await log.held())[0].place == second
    assert (await log.states())[0] == (1, "retried", "database_22021")
    assert twice.failures == 1
    assert await totals(engine) == {"bad": 1}


async def test_a_parked_one_that_an_operator_retries_after_the_repair_is_applied(
    engine: AsyncEngine,
) -> None:
    log = Log(engine, limits=replace(LIMITS, attempts=1))
    bad = add("bad", note=NUL)
    [place, _] = log.append(bad, add("bad"))
    await log.poll()
    assert (await log.states())[0][1] == "parked"
    log.contents[place] = asked(Add(counter_id="bad", amount=1), command_id=bad.id.id)
    async with engine.begin() as connection:
        await retry_held(connection, place, log.now)

    first = await log.poll()
    second = await log.poll()

    assert [*answers(first).values(), *answers(second).values()] == ["applied", "applied"]
    assert (await log.held(), await totals(engine)) == ([], {"bad": 2})


async def test_news_that_undoes_its_neighbours_is_kept_as_unreadable(
    engine: AsyncEngine,
) -> None:
    log = Log(engine)
    log.tell(
        news(Opened(counter_id="mail"), 1),
        news(Opened(counter_id="bad", note="bad"), 1),
        news(Opened(counter_id="odd", note=NUL), 1),
    )
    log.append(asked(toy.AddOnceOpen(counter_id="mail", amount=1)))

    done = await log.poll()

    assert list(answers(done).values()) == ["applied"]
    assert [one.detail for _, one in done.unreadable] == ["database_23514", "database_22021"]
    assert (done.failures, await log.held()) == (2, [])
    assert await unreadable_rows(engine) == [
        ("not_applied", "database_23514", True),
        ("not_applied", "database_22021", True),
    ]


async def test_a_deadlock_with_a_job_is_tried_again_whole(database: Database) -> None:
    """A job that locks in another order. PostgreSQL undoes one of the two: most often the poll."""
    engine, log = database.writer, Log(database.writer)
    log.append(add("a"), add("b"))
    await log.poll()
    undone: list[str | None] = []

    def note(context: ExceptionContext) -> None:
        undone.append(sqlstate_of(context.sqlalchemy_exception or context.original_exception))

    event.listen(engine.sync_engine, "handle_error", note)
    statements = count_statements(engine)
    polls = 1
    while "40P01" not in undone:
        polls += 1
        statements.clear()
        log.append(add("a"), add("b"))
        done = await _poll_against_a_job(database, log)
        assert (len(done.answers), done.held) == (2, [])

    assert await totals(engine) == {"a": polls, "b": polls}
    # Twice the whole, and not its parts.
    assert len([one for one in statements if "UPDATE position" in one]) == 2


async def _poll_against_a_job(database: Database, log: Log) -> Processed:
    a, b = (Key("acme", "counters", one) for one in "ab")
    # An engine of its own: that the job was undone is none of the test's business.
    jobs = create_engine(database.settings, "writer")
    async with jobs.connect() as job, jobs.connect() as watcher:
        await toy.lock_counters(job, [b])
        polling = create_task(log.poll())

        async def is_waiting() -> bool:
            await watcher.rollback()
            return bool(await watcher.scalar(text("SELECT 1 FROM pg_locks WHERE NOT granted")))

        await eventually(is_waiting)
        with suppress(DBAPIError):
            await toy.lock_counters(job, [a])
        await job.rollback()
        done = await polling
    await jobs.dispose()
    return done


async def test_the_same_command_by_two_owners_at_once_takes_effect_once(
    engine: AsyncEngine,
) -> None:
    """Two partitions, as no client of ours does it; a unique violation has the batch run again."""
    command = add("mail")
    logs = [Log(engine), Log(engine)]
    for partition, log in enumerate(logs):
        log.append(command, partition=partition)

    done = await gather(*[log.poll() for log in logs])

    assert [list(answers(one).values()) for one in done] == [["applied"], ["applied"]]
    assert await totals(engine) == {"mail": 1}
    assert [one.sequence for one in await published(engine)] == [1]


async def test_a_lost_connection_says_nothing_about_any_message(database: Database) -> None:
    log = Log(database.writer)
    log.append(add("mail"))
    await log.assign()

    async def kill(connection: AsyncConnection, _news: Sequence[News[Opened]]) -> None:
        own = await connection.scalar(text("SELECT pg_backend_pid()"))
        async with database.writer.connect() as other:
            await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": own})
        await connection.execute(text("SELECT 1"))

    log.handlers = Handlers(Listener(Opened, kill), *_entries(handlers))
    log.tell(news(Opened(counter_id="mail"), 1))
    with pytest.raises(Unavailable):
        await log.poll()

    assert (await log.held(), await totals(database.writer)) == ([], {})
    log.handlers = handlers
    assert list(answers(await log.poll()).values()) == ["applied"]


async def test_after_a_commit_without_an_answer_the_position_knows(engine: AsyncEngine) -> None:
    log = Log(engine)
    [place] = log.append(add("mail"))
    await log.assign()

    def lose_the_answer(connection: Any) -> None:
        # What the server has done stays done; only nobody hears of it.
        event.remove(engine.sync_engine, "commit", lose_the_answer)
        connection.connection.commit()
        connection.connection.dbapi_connection.run_async(_terminate)

    event.listen(engine.sync_engine, "commit", lose_the_answer)
    with pytest.raises(Unavailable):
        await log.poll()

    [source] = log.owned
    async with engine.connect() as connection:
        log.owned = await position.read(connection, [source])
    assert log.owned[source].next_offset == place.offset + 1
    assert (await log.poll()).answers == []
    assert await totals(engine) == {"mail": 1}


async def _terminate(connection: asyncpg.Connection) -> None:
    connection.terminate()


async def test_a_store_that_raises_is_blamed_on_its_message_alone(engine: AsyncEngine) -> None:
    async def save(connection: AsyncConnection, changed: Mapping[Key, toy.Counter]) -> None:
        if any(key.id == "bad" for key in changed):
            raise ZeroDivisionError
        await toy.save_counters(connection, changed)

    counters = Aggregate(lock=toy.lock_counters, save=save)
    log = Log(engine, Handlers(counters.command(Add, toy.decide_add)))
    log.append(*[add(name) for name in ("a", "b", "bad", "c", "d")])

    done = await log.poll()

    assert (len(done.answers), await log.states()) == (4, [(2, "retried", "ZeroDivisionError")])
    assert await totals(engine) == dict.fromkeys("abcd", 1)


async def test_the_number_of_statements_does_not_depend_on_the_number_of_records(
    engine: AsyncEngine,
) -> None:
    counted: list[int] = []
    log = Log(engine)
    for size in (1, 50):
        log.append(
            *[asked(Add(counter_id=f"{size}-h{n}", amount=1, raises="bug")) for n in range(size)]
        )
        await log.poll()
        log.now += LIMITS.longest_pause
        log.append(*[add(f"{size}-{n}") for n in range(size)])
        log.append(
            *[asked(Add(counter_id=f"{size}-n{n}", amount=1, raises="bug")) for n in range(size)]
        )
        log.append(*[Unreadable("bad_signature") for _ in range(size)])
        log.tell(*[news(Opened(counter_id=f"{size}-{n}"), 1) for n in range(size)])
        await log.assign()
        statements = count_statements(engine)
        done = await log.poll()
        counted.append(len(statements))
        assert (len(done.answers), done.news, len(done.unreadable)) == (size, size, size)
        assert len(done.held) >= 2 * size

    # What is due, position; news and its savepoint 3; taken up; lists of members; what is held;
    # recall; lock 2, save; latest 2, outbox, inbox; held: kept, held, promoted; unreadable:
    # counted, room, kept.
    assert counted == [22, 22]


async def test_a_poll_without_anything_held_costs_few_statements(engine: AsyncEngine) -> None:
    log = Log(engine)
    log.append(add("mail"))
    await log.poll()
    log.append(add("mail"))
    statements = count_statements(engine)

    await log.poll()

    # What is due, position, lists of members, recall, lock 2, save, latest 2, outbox, inbox.
    assert len(statements) == 11


async def test_unreadable_records_are_kept_whole_and_hold_nothing(engine: AsyncEngine) -> None:
    log = Log(engine)
    log.append(Unreadable("bad_signature"), Unreadable("header_null", f"ce_\x00\udc80{'x' * 300}"))
    log.append(add("mail"), Ignored())

    done = await log.poll()

    assert [one.reason for _, one in done.unreadable] == ["bad_signature", "header_null"]
    assert done.failures == 0
    [(_, first, _), (_, second, _)] = await unreadable_rows(engine)
    assert (first, second[:6], len(second)) == ("", "ce_??x", 200)
    assert await totals(engine) == {"mail": 1}


async def test_so_many_unreadable_records_are_kept_a_day_and_all_are_counted(
    engine: AsyncEngine,
) -> None:
    log = Log(engine)
    for _ in range(3):
        log.append(*[Unreadable("bad_signature") for _ in range(400)])
        await log.poll()

    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM unreadable")) == KEPT_A_DAY
        assert await connection.scalar(text("SELECT noticed FROM unreadable_count")) == 1200


async def test_an_unreadable_record_that_is_huge_is_kept_without_its_value(
    engine: AsyncEngine,
) -> None:
    log = Log(engine)
    record = raw_record(0, value=b"x" * (LARGEST_KEPT + 1))
    log.append(Unreadable("value_too_large"))
    [source] = log.records
    log.records[source][0] = replace(log.records[source][0], record=record)

    await log.poll()

    assert await unreadable_rows(engine) == [("value_too_large", "", False)]


async def unreadable_rows(engine: AsyncEngine) -> list[tuple[str, str, bool]]:
    query = text('SELECT reason, detail, is_whole FROM unreadable ORDER BY topic, "offset"')
    async with engine.connect() as connection:
        return [(row[0], row[1], row[2]) for row in await connection.execute(query)]


async def failure_of(engine: AsyncEngine, statement: str) -> tuple[str, str | None]:
    async with engine.connect() as connection:
        with pytest.raises(DBAPIError) as caught:
            await connection.execute(text(statement))
    return classify(caught.value), sqlstate_of(caught.value)


@pytest.mark.parametrize(
    ("statement", "state", "failure"),
    [
        ("SELECT 1/0", "22012", "content"),
        ("SELECT * FROM nowhere", "42P01", "content"),
        ("DO $$ BEGIN RAISE EXCEPTION SQLSTATE '40001'; END $$", "40001", "again"),
        ("DO $$ BEGIN RAISE EXCEPTION SQLSTATE '40P01'; END $$", "40P01", "again"),
        ("DO $$ BEGIN RAISE EXCEPTION SQLSTATE '23505'; END $$", "23505", "again"),
        ("DO $$ BEGIN RAISE EXCEPTION SQLSTATE '53100'; END $$", "53100", "unavailable"),
        ("DO $$ BEGIN RAISE EXCEPTION SQLSTATE '57014'; END $$", "57014", "content"),
    ],
)
async def test_failures_are_told_apart_by_their_state(
    engine: AsyncEngine, statement: str, state: str, failure: str
) -> None:
    assert await failure_of(engine, statement) == (failure, state)


async def test_a_missing_day_of_the_inbox_is_nobodys_fault(engine: AsyncEngine) -> None:
    statement = (
        "INSERT INTO inbox (brand_id, issuer, id, digest, command, kind, subject_id, gives_way,"
        " wants_reply) VALUES ('acme', 'i', 'zzz', '', 'Add', 'counters', 'mail', false, false)"
    )

    assert await failure_of(engine, statement) == ("unavailable", "23514")


async def test_a_pool_that_cannot_connect_is_unavailable(database: Database) -> None:
    nowhere = database.settings.model_copy(update={"host": "/nowhere"})
    engine = create_engine(nowhere, "writer")
    log = Log(engine)
    with pytest.raises(Unavailable):
        await deliver(engine, log.consuming, Poll(owned={}, received=[], now=log.now))
    await engine.dispose()


def test_a_failure_has_a_name_without_content() -> None:
    assert name_of(ValueError("a secret")) == "ValueError"


def test_what_two_transactions_came_to_adds_up() -> None:
    first, second = Processed(owned={}, news=1), Processed(owned={}, news=2, announced=3)
    first.add(second)

    assert (first.news, first.announced, first.is_to_be_sent) == (3, 3, True)


def _entries(known: Handlers) -> list[Any]:
    return [*known.decided.values(), *known.bulks.values()]
