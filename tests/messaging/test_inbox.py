"""What is known of a command, and for how long."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest
from keyturn_contracts.ids import new_id
from keyturn_contracts.message import CommandApplied, CommandRefused, Key
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database.engines import create_engine
from shared.database.migrate import MESSAGING, migrate
from shared.messaging.batch import apply_batch
from shared.messaging.days import first_id, keep_days
from shared.messaging.envelope import Asked, CommandId
from shared.messaging.inbox import Entry, find, judge_id, remember
from shared.messaging.record import RefusalOnArrival, RefusedOnArrival
from tests.batches import asked, deliver, published
from tests.messaging.log import Log, totals
from tests.messaging.toy import Add, handlers
from tests.running_stack import RunningStack

NOW = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)


def refused(
    of: Asked[Add], reason: RefusalOnArrival, *, wants_reply: bool = False
) -> RefusedOnArrival:
    return RefusedOnArrival(
        id=of.id,
        key=of.key,
        type=Add.type_name(),
        digest=of.digest,
        reason=reason,
        message="A sentence.",
        at=of.at,
        wants_reply=wants_reply,
    )


async def words(engine: AsyncEngine, *messages: Asked[Add] | RefusedOnArrival) -> list[str]:
    batch = await deliver(engine, handlers, *messages)
    return [
        one.reason if isinstance(one, CommandRefused) else one.outcome for _, one in batch.answers
    ]


async def test_a_command_refused_on_arrival_is_remembered(engine: AsyncEngine) -> None:
    add = asked(Add(counter_id="mail", amount=1))

    first = await words(engine, refused(add, "invalid", wants_reply=True))
    again = await words(engine, add)

    assert (first, again) == (["invalid"], ["invalid"])
    assert [one.type for one in await published(engine)] == ["CommandRefused", "CommandRefused"]
    async with engine.connect() as connection:
        known = await find(connection, add.id)
    assert known is not None
    assert known.outcome == CommandRefused(command="Add", reason="invalid", message="A sentence.")


@pytest.mark.parametrize("at_once", [True, False])
async def test_an_expired_command_gives_way_to_a_later_record_of_its_id(
    engine: AsyncEngine, *, at_once: bool
) -> None:
    add = asked(Add(counter_id="mail", amount=1))
    expired = refused(add, "expired")

    if at_once:
        log = Log(engine)
        log.append(expired, add, expired)
        await log.poll()
        assert await log.outcome(add) == "applied"
    else:
        assert await words(engine, expired) == ["expired"]
        assert await words(engine, expired) == ["expired"]
        assert await words(engine, add) == ["applied"]
        assert await words(engine, expired) == ["applied"]
    assert await words(engine, add) == ["applied"]
    assert await totals(engine) == {"mail": 1}


async def test_an_expired_command_that_was_held_meanwhile_is_applied_all_the_same(
    engine: AsyncEngine,
) -> None:
    log = Log(engine)
    bad = asked(Add(counter_id="mail", amount=1, raises="bug"))
    add = asked(Add(counter_id="mail", amount=1))
    log.append(refused(add, "expired"), bad, add)
    await log.poll()
    assert await log.outcome(add) == "expired"

    log.contents[(await log.held())[0].place] = refused(bad, "invalid")
    await log.later(60)

    assert await log.outcome(add) == "applied"


async def test_what_is_refused_for_its_id_is_answered_and_leaves_no_trace(
    engine: AsyncEngine,
) -> None:
    at = datetime.now(UTC)
    old = asked(Add(counter_id="mail", amount=1), command_id=new_id(at - timedelta(days=8)), at=at)
    odd = asked(Add(counter_id="mail", amount=1), command_id="no-uuid", at=at)
    ahead = asked(
        Add(counter_id="mail", amount=1), command_id=new_id(at + timedelta(hours=2)), at=at
    )

    answered = await words(
        engine, refused(old, "id_too_old"), refused(odd, "invalid"), refused(ahead, "invalid")
    )

    assert answered == ["id_too_old", "invalid", "invalid"]
    async with engine.connect() as connection:
        for one in (old, odd, ahead):
            assert await find(connection, one.id) is None


@pytest.mark.parametrize(
    ("made", "judged"),
    [
        (timedelta(0), None),
        (timedelta(minutes=59), None),
        (timedelta(minutes=61), "invalid"),
        (-timedelta(days=7), None),
        (-timedelta(days=7, seconds=1), "id_too_old"),
    ],
)
def test_an_id_carries_its_own_time(made: timedelta, judged: str | None) -> None:
    assert judge_id(new_id(NOW + made), NOW) == judged


@pytest.mark.parametrize(
    "odd", ["", "1", "0199c8a1b40070008000000000000001", "0199C8A1-B400-7000-8000-000000000001"]
)
def test_what_is_no_uuidv7_is_no_id(odd: str) -> None:
    assert judge_id(odd, NOW) == "invalid"


async def test_an_outcome_is_read_back_as_it_was_told(engine: AsyncEngine) -> None:
    add = asked(Add(counter_id="mail", amount=1))

    batch = await deliver(engine, handlers, add)

    async with engine.connect() as connection:
        known = await find(connection, add.id)
    assert known is not None
    assert (known.digest, known.outcome) == (add.digest, batch.answers[0][1])
    assert isinstance(known.outcome, CommandApplied)


async def test_an_outcome_is_there_for_its_own_issuer_and_brand_alone(
    engine: AsyncEngine,
) -> None:
    add = asked(Add(counter_id="mail", amount=1))
    await deliver(engine, handlers, add)

    async with engine.connect() as connection:
        for other in (add.id._replace(issuer="other"), add.id._replace(brand="rival")):
            assert await find(connection, other) is None


@pytest.fixture
async def owner(stack: RunningStack) -> AsyncIterator[AsyncEngine]:
    """Make a database of its own: its inbox gets other days than those of the other tests."""
    settings = stack.new_database("catalog")
    await migrate(settings, [MESSAGING])
    engine = create_engine(settings, "owner")
    yield engine
    await engine.dispose()
    stack.drop_database(settings)


async def days(engine: AsyncEngine) -> list[str]:
    query = text(
        "SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class c ON c.oid = "
        "inhparent WHERE c.relname = 'inbox' ORDER BY 1"
    )
    async with engine.connect() as connection:
        return list(await connection.scalars(query))


async def keep(engine: AsyncEngine, now: datetime) -> tuple[int, int]:
    async with engine.begin() as connection:
        return await keep_days(connection, now)


async def test_days_are_made_ahead_and_dropped_when_no_command_of_theirs_can_come(
    owner: AsyncEngine,
) -> None:
    today = datetime.now(UTC)
    there = await days(owner)

    assert there[0] == f"inbox_{today - timedelta(days=11):%Y%m%d}"
    assert there[-1] == f"inbox_{today + timedelta(days=3):%Y%m%d}"
    assert await keep(owner, today) == (0, 0)
    assert await keep(owner, today + timedelta(days=2)) == (2, 2)
    assert (await days(owner))[0] == there[2]


async def test_a_day_that_a_held_command_belongs_to_stays(owner: AsyncEngine) -> None:
    today = datetime.now(UTC)
    log = Log(owner)
    parked = asked(Add(counter_id="mail", amount=1, raises="unprocessable"))
    log.append(parked)
    # Without the toy's tables: its command is parked because nobody takes it.
    log.handlers = type(log.handlers)()
    await log.poll()

    await keep(owner, today + timedelta(days=100))

    assert (await days(owner))[0] == f"inbox_{today:%Y%m%d}"
    assert len(await days(owner)) == 1 + 15


async def test_a_command_is_remembered_on_the_day_of_its_id(owner: AsyncEngine) -> None:
    at = datetime.now(UTC)
    for age in (timedelta(0), timedelta(days=6, hours=23), -timedelta(minutes=59)):
        entry = Entry(
            id=CommandId("acme", "local", new_id(at - age)),
            key=Key("acme", "counters", "mail"),
            command="Add",
            digest=b"1",
            outcome=None,
        )
        async with owner.begin() as connection:
            await remember(connection, [entry])
        async with owner.connect() as connection:
            table = f"inbox_{at - age:%Y%m%d}"
            query = text(f"SELECT id FROM {table} WHERE id = :id")  # noqa: S608  our own name
            assert (await connection.scalars(query, {"id": entry.id.id})).all() == [entry.id.id]


def test_the_first_id_of_a_day_lies_between_its_neighbours() -> None:
    midnight = datetime(2026, 11, 25, tzinfo=UTC)
    boundary = first_id(date(2026, 11, 25))

    assert new_id(midnight - timedelta(milliseconds=1)) < boundary <= new_id(midnight)


async def test_nothing_is_applied_when_its_day_is_missing(owner: AsyncEngine) -> None:
    """It fails aloud instead of forgetting: whoever keeps the days has three of them to notice."""
    late = datetime.now(UTC) + timedelta(days=30)

    async with owner.connect() as connection:
        with pytest.raises(Exception, match="no partition of relation"):
            await apply_batch(
                connection,
                type(handlers)(),
                [refused(asked(Add(counter_id="mail", amount=1), at=late), "expired")],
            )
