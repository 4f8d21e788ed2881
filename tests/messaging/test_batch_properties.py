"""However a log is cut into polls, what it leaves behind is the same."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from keyturn_contracts.message import Command, CommandApplied
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.messaging.envelope import Asked
from shared.messaging.record import Content, RefusedOnArrival
from tests.batches import asked, news, published
from tests.messaging.log import COMMANDS, LIMITS, NEWS, Log, totals
from tests.messaging.toy import Add, AddOnceOpen, AddToMany, AddTwice, Opened, Weigh

_numbers = count()

Said = tuple[str, str, int]
"""What is said, of which counter, with which number."""

NAMES = st.sampled_from(["a", "b", "c"])
SAID = st.tuples(
    st.sampled_from(
        ["add", "twice", "once_open", "open", "many", "weigh", "bug", "stubborn", "text"]
    ),
    NAMES,
    st.integers(-2, 3),
) | st.tuples(st.sampled_from(["repeat", "reuse", "expire"]), NAMES, st.integers(0, 20))


@dataclass(frozen=True)
class Left:
    """Everything that a log leaves behind."""

    totals: dict[str, int]
    outcomes: list[object]
    events: dict[str, list[tuple[int, bytes]]]
    held: list[tuple[int, str, str]]


def say(said: Sequence[Said], brand: str) -> list[Content]:
    """Return the messages of one log, for a brand of its own."""
    contents: list[Content] = []
    commands: list[Asked[Command]] = []
    for what, name, number in said:
        match what:
            case "open":
                contents.append(news(Opened(counter_id=name), 1, brand=brand))
                continue
            case "repeat" | "reuse" | "expire" if not commands:
                continue
            case "repeat":
                contents.append(commands[number % len(commands)])
                continue
            case "reuse":
                first = commands[number % len(commands)]
                other = Add(counter_id=first.command.subject_id, amount=7)
                contents.append(asked(other, brand=brand, command_id=first.id.id))
                continue
            case "expire":
                contents.append(expired(commands[number % len(commands)]))
                continue
            case _:
                commands.append(asked(command_of(what, name, number), brand=brand))
                contents.append(commands[-1])
    return contents


def command_of(what: str, name: str, number: int) -> Command:
    of_each: dict[str, Command] = {
        "add": Add(counter_id=name, amount=number),
        "twice": AddTwice(counter_id=name, amount=abs(number)),
        "once_open": AddOnceOpen(counter_id=name, amount=abs(number)),
        "many": AddToMany(counter_id=name, many=max(number, 0), raises=number < 0),
        "weigh": Weigh(counter_id=name),
        "bug": Add(counter_id=name, amount=1, raises="bug"),
        "stubborn": Add(counter_id=name, amount=1, raises="unprocessable"),
        "text": Add(counter_id=name, amount=1, note="a\x00b"),
    }
    return of_each[what]


def expired(one: Asked[Command]) -> RefusedOnArrival:
    return RefusedOnArrival(
        id=one.id,
        key=one.key,
        type=type(one.command).type_name(),
        digest=one.digest,
        reason="expired",
        message="A sentence.",
        at=one.at,
    )


async def run(engine: AsyncEngine, said: Sequence[Said], cuts: Sequence[int]) -> Left:
    """Read the log in polls of these sizes, then let time pass until nothing is due any more."""
    number = next(_numbers)
    brand = f"brand-{number}"
    log = Log(engine, limits=replace(LIMITS, attempts=2))
    # Partitions of its own: other examples have left theirs where they are.
    topics = (f"{COMMANDS}-{number}", f"{NEWS}-{number}")
    contents = say(said, brand)
    sizes = iter(cuts)
    left = list(contents)
    while left:
        size = max(next(sizes, len(left)), 1)
        for one in left[:size]:
            log.append(one, topic=topics[isinstance(one, type(news(Opened(counter_id="a"), 1)))])
        left = left[size:]
        await log.poll()
    for _ in range(200):
        due = [one.due for one in await log.held() if one.due and one.key.brand == brand]
        if not due:
            break
        log.now = min(due)
        await log.poll()
    return await left_behind(log, brand, contents)


async def left_behind(log: Log, brand: str, contents: Sequence[Content]) -> Left:
    outcomes: list[object] = []
    for one in contents:
        if not isinstance(one, (Asked, RefusedOnArrival)):
            continue
        known = await log.known(one)
        outcome = known.outcome if known else None
        if isinstance(outcome, CommandApplied):
            # Numbers of the outbox are the whole service's.
            outcome = outcome.model_copy(update={"revision": outcome.revision is not None})
        outcomes.append((known is not None, outcome))
    events: dict[str, list[tuple[int, bytes]]] = {}
    for one in await published(log.engine):
        own, _, subject = one.key.partition("/")
        if own == brand:
            events.setdefault(subject, []).append((one.sequence, one.value))
    held = [
        (one.place.offset, one.state, one.cause)
        for one in await log.held()
        if one.key.brand == brand
    ]
    return Left(await totals(log.engine, brand), outcomes, events, held)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    said=st.lists(SAID, min_size=1, max_size=12),
    cuts=st.lists(st.integers(1, 5), max_size=6),
)
@example(said=[("bug", "a", 1), ("reuse", "a", 0), ("add", "a", 1)], cuts=[1, 1, 1])
@example(said=[("once_open", "a", 1), ("expire", "a", 0), ("open", "a", 1)], cuts=[1, 1])
@example(said=[("weigh", "a", 0), ("open", "a", 0)], cuts=[])
@example(said=[("text", "a", 1), ("many", "a", 2), ("add", "b", 1)], cuts=[])
async def test_a_log_cut_into_polls_in_any_way_leaves_the_same_behind(
    engine: AsyncEngine, said: list[Said], cuts: list[int]
) -> None:
    one_by_one = await run(engine, said, [1] * len(said))
    at_once = await run(engine, said, [])
    cut = await run(engine, said, cuts)

    assert at_once == one_by_one
    assert cut == one_by_one
    for events in cut.events.values():
        assert [sequence for sequence, _ in events] == list(range(1, len(events) + 1))
