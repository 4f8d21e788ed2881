"""Ending what a `Later` began."""

from collections.abc import Mapping
from functools import partial

from keyturn_contracts.message import CommandApplied, CommandRefused, Key
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.decisions import Decision, Later, Refused
from shared.messaging.inbox import find
from shared.messaging.settle import Settled, settle
from shared.messaging.tables import OutboxRow
from tests.batches import asked, deliver, published
from tests.messaging.log import totals
from tests.messaging.toy import Add, Counter, Weigh, conclude_weighing, counters, handlers

MAIL, CHAT, NONE = (Key("acme", "counters", one) for one in ("mail", "chat", "none"))
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def given(engine: AsyncEngine, *names: str) -> None:
    await deliver(engine, handlers, *[asked(Add(counter_id=one, amount=1)) for one in names])


async def weigh(engine: AsyncEngine, weights: Mapping[Key, int | None]) -> Settled:
    """Conclude once with a failure before the commit, then for real."""
    async with engine.connect() as connection:
        await settle(connection, counters, Weigh, weights, conclude_weighing)
    async with engine.begin() as connection:
        return await settle(connection, counters, Weigh, weights, conclude_weighing)


async def test_everyone_who_asked_hears_the_conclusion(engine: AsyncEngine) -> None:
    await given(engine, "mail")
    first = asked(Weigh(counter_id="mail"), trace_parent=TRACE, wants_reply=True)
    second = asked(Weigh(counter_id="mail"), issuer="other", wants_reply=True)
    silent = asked(Weigh(counter_id="mail"))
    await deliver(engine, handlers, second, silent, first)

    settled = await weigh(engine, {MAIL: 40})
    repeated = await deliver(engine, handlers, first, second, silent)

    outcome = settled.answers[0][1]
    assert isinstance(outcome, CommandApplied)
    assert [each.sequence for each in outcome.events] == [1]
    assert outcome.revision is not None
    assert {one for one, _ in settled.answers} == {first.id, second.id, silent.id}
    assert {str(one) for _, one in settled.answers} == {str(outcome)}
    assert sorted(repeated.answers) == sorted(settled.answers)
    assert await totals(engine) == {"mail": 40}
    replies = [one for one in await published(engine) if one.topic.startswith("keyturn.replies")]
    assert [one.key for one in replies][:2] == [first.id.id, second.id.id]


async def test_a_conclusion_that_changes_nothing_has_a_revision_too(engine: AsyncEngine) -> None:
    await given(engine, "mail")
    await deliver(engine, handlers, asked(Weigh(counter_id="mail")))
    await weigh(engine, {MAIL: 40})
    found = await newest_number(engine)
    await deliver(engine, handlers, asked(Weigh(counter_id="mail")))

    [(_, outcome)] = (await weigh(engine, {MAIL: 40})).answers

    assert isinstance(outcome, CommandApplied)
    assert (outcome.changed, outcome.events, outcome.announced) == (False, (), 0)
    assert (outcome.revision or 0) >= found > 0


async def newest_number(engine: AsyncEngine) -> int:
    """Return the highest number of what is in the outbox."""
    async with engine.connect() as connection:
        return (await connection.scalar(select(func.max(OutboxRow.id)))) or 0


async def test_its_events_were_caused_by_the_first_who_asked(engine: AsyncEngine) -> None:
    await given(engine, "mail")
    first = asked(Weigh(counter_id="mail"), trace_parent=TRACE)
    second = asked(Weigh(counter_id="mail"))
    await deliver(engine, handlers, second, first)

    await weigh(engine, {MAIL: 40})

    headers = (await published(engine))[-1].headers
    assert headers["ce_causationid"] == headers["ce_correlationid"] == first.id.id
    assert headers["traceparent"] == TRACE


async def test_a_conclusion_that_raises_spoils_only_itself(engine: AsyncEngine) -> None:
    await given(engine, "mail", "chat")
    commands = [asked(Weigh(counter_id=one)) for one in ("mail", "chat")]
    await deliver(engine, handlers, *commands)

    settled = await weigh(engine, {MAIL: None, CHAT: 40, NONE: 3})

    assert {key: type(one) for key, one in settled.failed.items()} == {
        MAIL: ZeroDivisionError,
        NONE: ZeroDivisionError,
    }
    assert [one for one, _ in settled.answers] == [commands[1].id]
    assert await totals(engine) == {"mail": 1, "chat": 40}
    async with engine.connect() as connection:
        known = await find(connection, commands[0].id)
    assert known is not None
    assert known.outcome is None


async def test_a_conclusion_that_the_database_refuses_spoils_only_itself(
    engine: AsyncEngine,
) -> None:
    await given(engine, "mail", "chat")
    await deliver(engine, handlers, *[asked(Weigh(counter_id=one)) for one in ("mail", "chat")])

    settled = await weigh(engine, {MAIL: -1, CHAT: 40})

    assert {key: type(one) for key, one in settled.failed.items()} == {MAIL: IntegrityError}
    assert len(settled.answers) == 1
    assert await totals(engine) == {"mail": 1, "chat": 40}
    assert [one.key for one in await published(engine)][2:] == ["acme/counters/weighed"]


async def test_a_refusal_announces_nothing_and_what_it_gives_up_is_saved(
    engine: AsyncEngine,
) -> None:
    await given(engine, "mail")
    command = asked(Weigh(counter_id="mail"), wants_reply=True)
    await deliver(engine, handlers, command)

    def refuse(counter: Counter | None, _weight: int) -> Decision[Counter, str]:
        return Refused("scale_broken", "The scale is broken.", Counter(total=9))

    async with engine.begin() as connection:
        settled = await settle(connection, counters, Weigh, {MAIL: 0}, refuse)

    assert settled.answers == [
        (
            command.id,
            CommandRefused(command="Weigh", reason="scale_broken", message="The scale is broken."),
        )
    ]
    assert (settled.announced, await totals(engine)) == ([], {"mail": 9})


async def test_later_again_leaves_them_waiting(engine: AsyncEngine) -> None:
    await given(engine, "mail")
    await deliver(engine, handlers, asked(Weigh(counter_id="mail")))

    def again(counter: Counter | None, _weight: int) -> Decision[Counter, str]:
        return Later(counter or Counter())

    async with engine.begin() as connection:
        settled = await settle(connection, counters, Weigh, {MAIL: 0}, again)

    assert (settled.answers, settled.announced, settled.failed) == ([], [], {})
    assert len((await weigh(engine, {MAIL: 40})).answers) == 1


async def test_what_is_settled_once_stays_settled(engine: AsyncEngine) -> None:
    await given(engine, "mail")
    await deliver(engine, handlers, asked(Weigh(counter_id="mail")))
    await weigh(engine, {MAIL: 40})

    settled = await weigh(engine, {MAIL: 40})

    assert (settled.answers, settled.announced) == ([], [])


async def test_nothing_found_is_nothing_done(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        settled = await settle(connection, counters, Weigh, {}, conclude_weighing)

    assert settled == Settled()


async def test_the_number_of_statements_does_not_depend_on_the_number_of_findings(
    engine: AsyncEngine,
) -> None:
    counted: list[int] = []
    for size in (1, 50):
        names = [f"{size}-{number}" for number in range(size)]
        await given(engine, *names)
        await deliver(
            engine,
            handlers,
            *[asked(Weigh(counter_id=one), wants_reply=True) for one in names],
        )
        keys = {Key("acme", "counters", one): 40 for one in names}
        statements: list[str] = []
        note = partial(_note, statements)
        event.listen(engine.sync_engine, "before_cursor_execute", note)
        async with engine.begin() as connection:
            settled = await settle(connection, counters, Weigh, keys, conclude_weighing)
        event.remove(engine.sync_engine, "before_cursor_execute", note)
        assert len(settled.answers) == size
        counted.append(len(statements))

    # Lock 2, save 1, who waits 1, latest 2, outbox 1, outcomes 1, replies 1, a savepoint 2.
    assert counted == [11, 11]


def _note(statements: list[str], _connection: AsyncConnection, _cursor: object, *rest: str) -> None:
    statements.append(rest[0])
