"""What a brand has one of has a key without an id, and passes everywhere that other keys pass."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from keyturn_contracts.message import Command, CommandApplied, Event, Key, Message
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.decisions import Applied, Decision, Later
from shared.messaging import held_desk
from shared.messaging.envelope import Asked
from shared.messaging.handlers import Handlers
from shared.messaging.settle import settle
from tests.batches import asked, deliver, published
from tests.messaging.log import Log, answers, totals
from tests.messaging.toy import Add, Counter, counters, decide_add

KEY = Key("acme", "counters", "")


class AboutTheOnly(Message):
    """Of a kind that the toy has others of as well: the two must not be confused."""

    service: ClassVar = "toy"
    kind: ClassVar = "counters"

    @property
    def subject_id(self) -> str:
        return ""


class AddToTheOnly(AboutTheOnly, Command):
    amount: int = 1
    raises: bool = False


class WeighTheOnly(AboutTheOnly, Command):
    """Answered later, by a job."""


class TheOnlyChanged(AboutTheOnly, Event):
    total: int


def decide_add_to_the_only(
    counter: Counter | None, asked: Asked[AddToTheOnly]
) -> Decision[Counter, str]:
    if asked.command.raises:
        raise ZeroDivisionError
    after = Counter(total=(counter or Counter()).total + asked.command.amount)
    return Applied(after, [TheOnlyChanged(total=after.total)])


def decide_weighing(counter: Counter | None, _asked: Asked[WeighTheOnly]) -> Decision[Counter, str]:
    return Later(replace(counter or Counter(), is_weighed=True))


def conclude(counter: Counter | None, weight: int) -> Decision[Counter, str]:
    return Applied(Counter(total=weight), [TheOnlyChanged(total=weight)])


HANDLERS = Handlers(
    counters.command(AddToTheOnly, decide_add_to_the_only),
    counters.command(WeighTheOnly, decide_weighing),
    counters.command(Add, decide_add),
)


async def test_it_is_decided_remembered_announced_and_answered(engine: AsyncEngine) -> None:
    batch = await deliver(
        engine,
        HANDLERS,
        asked(AddToTheOnly(), wants_reply=True),
        asked(Add(counter_id="mail", amount=5)),
        asked(AddToTheOnly(amount=2)),
    )

    sent = await published(engine)
    outcomes = [outcome for _, outcome in batch.answers]
    assert all(isinstance(one, CommandApplied) for one in outcomes)
    assert await totals(engine) == {"": 3, "mail": 5}
    ours = [one for one in sent if one.type == "TheOnlyChanged"]
    assert [(one.key, one.headers["ce_subject"], one.sequence) for one in ours] == [
        ("acme/counters", "counters", 1),
        ("acme/counters", "counters", 2),
    ]
    replies = [one for one in sent if one.type == "CommandApplied"]
    assert {one.headers["ce_subject"] for one in replies} == {"counters"}
    told = [one for outcome in outcomes for one in getattr(outcome, "events", ())]
    assert [one.subject for one in told] == ["counters", "counters/mail", "counters"]


async def test_it_is_held_with_what_is_behind_it_and_nothing_else_of_its_kind(
    engine: AsyncEngine,
) -> None:
    log = Log(engine, HANDLERS)
    [place, *_] = log.append(
        asked(AddToTheOnly(raises=True)),
        asked(AddToTheOnly(amount=2)),
        asked(Add(counter_id="mail", amount=5)),
    )
    await log.poll()
    held = await log.held()
    before = log.contents[place]
    assert isinstance(before, Asked)
    log.contents[place] = asked(AddToTheOnly(), command_id=before.id.id)
    while_held = await totals(engine)

    done = await log.later(2)

    assert [(one.key, one.state) for one in held] == [(KEY, "retried"), (KEY, "queued")]
    assert while_held == {"mail": 5}
    assert list(answers(done).values()) == ["applied", "applied"]
    assert await totals(engine) == {"": 3, "mail": 5}


async def test_an_operator_gives_it_up(engine: AsyncEngine) -> None:
    log = Log(engine, HANDLERS)
    [place, _] = log.append(asked(AddToTheOnly(raises=True)), asked(AddToTheOnly(amount=2)))
    await log.poll()
    async with engine.begin() as connection:
        assert await held_desk.drop_held(connection, place, log.now)

    done = await log.later(1)

    assert list(answers(done).values()) == ["dropped", "applied"]
    assert await totals(engine) == {"": 2}


async def test_a_job_concludes_it(engine: AsyncEngine) -> None:
    await deliver(engine, HANDLERS, asked(Add(counter_id="mail", amount=5)))
    batch = await deliver(engine, HANDLERS, first := asked(WeighTheOnly()))
    weights: Mapping[Key, int] = {KEY: 9}

    async with engine.begin() as connection:
        settled = await settle(connection, counters, WeighTheOnly, weights, conclude)

    assert batch.later == [first.id]
    assert [command_id for command_id, _ in settled.answers] == [first.id]
    assert await totals(engine) == {"": 9, "mail": 5}
