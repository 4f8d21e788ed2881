"""Who ask about a brand at the same time are answered together, and each as if they were alone."""

import asyncio
from collections.abc import Sequence

import pytest
from keyturn_contracts.actor import Actor
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from services.access.remembering.deciding import MOST
from services.access.remembering.memory import Question
from services.access.settings import AccessSettings
from shared.http.errors import ApiError
from tests.access import given
from tests.access.remembering import OwnRedis, actor_of, process, use
from tests.access.world import World
from tests.batches import TWIN

ADA, BOB, EVE = use("ada"), use("bob"), use("eve")
SOME = [use(f"member-{number}") for number in range(7)]


def readings(asked: Sequence[str]) -> int:
    """Return how often facts were read."""
    return sum("pair AS MATERIALIZED" in one for one in asked)


@pytest.mark.parametrize("kept", [0, 20_000])
async def test_who_ask_at_the_same_time_share_a_reading(shared: World, kept: int) -> None:
    """The first is read for alone; nobody else's question was there when that began."""
    async with process(shared, None, AccessSettings(decisions_kept=kept)) as one:
        answers = await asyncio.gather(*(one.answer(each) for each in (BOB, ADA, *SOME, BOB)))

        assert readings(one.asked) == 2
        found = [[each.allowed for each in told.decisions.values()] for told in answers]
        assert found == [[True], [True], *[[False]] * len(SOME), [True]]
        assert {told.caller.roles for told in answers} == {frozenset(("administrator", "member"))}


async def test_brands_are_read_apart(shared: World) -> None:
    async with process(shared, None) as one:
        here, there, again = await asyncio.gather(
            one.answer(use("dave")), one.answer(use("dave"), brand=TWIN), one.answer(EVE)
        )

        assert readings(one.asked) == 3
        assert not here.decisions[use("dave")].allowed
        # The twin has a list, from which dave was removed; here nobody was ever on one.
        assert b"not_a_member" in there.decisions[use("dave")].body
        assert b"not_a_member" not in here.decisions[use("dave")].body
        assert not again.decisions[EVE].allowed


async def test_who_is_refused_is_so_alone(shared: World) -> None:
    def refused(_caller: Actor) -> Sequence[Question]:
        raise ApiError("not_allowed", "No.")

    async with process(shared, None) as one:
        actor = actor_of("acme", "root", ("administrator", "member"))
        first, second, third = await asyncio.gather(
            one.answer(BOB),
            one.deciding.answer(actor, refused, 0, size=1),
            one.answer(EVE),
            return_exceptions=True,
        )

        assert isinstance(second, ApiError)
        assert not isinstance(first, BaseException)
        assert not isinstance(third, BaseException)
        assert [first.decisions[BOB].allowed, third.decisions[EVE].allowed] == [True, False]


async def test_a_reading_that_fails_fails_for_all_who_are_in_it(shared: World) -> None:
    """Nobody waits for it once more by themselves, one behind the other."""
    async with process(shared, None) as one:
        left = [2]

        def break_some(*arguments: object) -> tuple[object, object]:
            statement, parameters = arguments[2:4]
            if readings([str(statement)]) and left[0]:
                left[0] -= 1
                return "SELECT 1 / 0", ()
            return statement, parameters

        engine = one.reader.sync_engine
        event.listen(engine, "before_cursor_execute", break_some, retval=True)
        answers = await asyncio.gather(
            *(one.answer(each) for each in (BOB, ADA, EVE, BOB)), return_exceptions=True
        )

        # The first is read for alone, and the others together.
        assert [isinstance(each, DBAPIError) for each in answers] == [True] * 4
        assert left == [0]
        assert (await one.answer(BOB)).decisions[BOB].allowed


async def test_who_is_cancelled_leaves_the_others_their_answers(shared: World) -> None:
    """The second reads for the third too, and goes away in the midst of it."""
    async with process(shared, None) as one:
        first, second, third = (asyncio.create_task(one.answer(each)) for each in (BOB, ADA, EVE))

        def cancel(*_: object) -> None:
            if readings(one.asked) == 2:
                second.cancel()

        event.listen(one.reader.sync_engine, "before_cursor_execute", cancel)

        assert (await first).decisions[BOB].allowed
        assert not (await third).decisions[EVE].allowed
        assert second.cancelled()
        assert readings(one.asked) == 3


async def test_what_is_read_at_once_is_bounded(shared: World) -> None:
    many = [[use(f"member-{one}-{number}") for number in range(MOST // 2)] for one in range(5)]
    async with process(shared, None, AccessSettings(decisions_kept=0)) as one:
        answers = await asyncio.gather(*(one.answer(*some) for some in many))

        # The first alone, and then two at a time.
        assert readings(one.asked) == 3
        assert [len(told.decisions) for told in answers] == [MOST // 2] * 5


async def test_what_redis_lends_some_of_them_is_not_read_again(
    shared: World, redis: OwnRedis
) -> None:
    async with process(shared, redis.client()) as here, process(shared, redis.client()) as there:
        await here.answer(ADA, BOB)
        await there.look()
        await there.answer(EVE)
        there.asked.clear()

        answers = await asyncio.gather(*(there.answer(each) for each in (ADA, BOB, *SOME)))

        assert readings(there.asked) == 1
        assert [told.decisions.popitem()[1].allowed for told in answers[:2]] == [True, True]


async def test_roles_are_as_new_as_the_decisions_that_they_are_answered_with(
    shared: World,
) -> None:
    """What the list says of ada is remembered; no look has found that there is another one."""
    async with process(shared, None) as one:
        assert (await one.answer(BOB, by="ada")).caller.roles == {"administrator", "member"}
        await shared.apply(given.administrators("root"))

        assert (await one.answer(EVE, by="ada")).caller.roles == set()
        assert (await one.answer(EVE, by="root")).caller.roles == {"administrator", "member"}


async def test_whom_the_list_has_let_in_since_is_not_refused_by_what_it_said_before(
    shared: World,
) -> None:
    """They know of it from its outcome, and ask with that; no look has found it yet."""

    def needed(caller: Actor) -> Sequence[Question]:
        if "administrator" not in caller.roles:
            raise ApiError("not_allowed", "No.")
        return [BOB]

    async with process(shared, None) as one:
        await shared.apply(given.administrators("root"))
        await one.look()
        assert (await one.answer(EVE, by="ada")).caller.roles == set()
        outcome = await shared.apply(given.administrators("ada"))
        actor = actor_of("acme", "ada", ("administrator", "member"))

        assert outcome.revision is not None
        found = await one.deciding.answer(actor, needed, outcome.revision, size=1)

        assert len(found.decisions) == 1


async def test_what_the_list_says_of_who_asks_is_not_read_each_time(shared: World) -> None:
    async with process(shared, None) as one:
        await one.answer(BOB)
        first = len(one.asked)
        one.asked.clear()

        await one.answer(EVE)

        assert readings(one.asked) == 1
        assert len(one.asked) == first - 1
