"""Redis lends decisions and tells of changes: it only makes the same answers sooner."""

import hmac
from typing import Any, cast

import pytest
from pydantic import SecretStr

from services.access.remembering.lending import lending_key
from services.access.remembering.watch import CHANNEL
from services.access.settings import AccessSettings
from tests.access import given
from tests.access.remembering import OwnRedis, process, revision_of, use
from tests.access.world import World

ADA, BOB, EVE = use("ada"), use("bob"), use("eve")


async def test_another_process_hears_of_a_commit_and_looks(shared: World, redis: OwnRedis) -> None:
    async with process(shared, redis.client()) as here, process(shared, redis.client()) as there:
        await there.deciding.watch.hear()
        assert await there.allows(BOB) == [True]
        await shared.apply(given.revoke("bob"), by="ada")

        await here.look()
        await there.deciding.watch.hear()

        assert not there.remembers(BOB)
        assert await there.allows(BOB) == [False]


async def test_a_process_does_not_doubt_what_it_has_said_itself(
    shared: World, redis: OwnRedis
) -> None:
    async with process(shared, redis.client()) as one, process(shared, redis.client()) as other:
        await one.deciding.watch.hear()
        await shared.apply(given.revoke("bob"), by="ada")
        await one.look()
        assert await one.allows(BOB) == [False]

        await one.deciding.watch.hear()

        assert one.remembers(BOB)
        # Beside what it has said itself it still hears what others say.
        await shared.apply(given.grant("bob"), by="ada")
        await other.look()
        await one.deciding.watch.hear()
        assert not one.remembers(BOB)


@pytest.mark.parametrize(
    "said",
    [b"\xff\xfe", b"", b"acme", b"0123456789abcdef ac\xffme", b"0123456789abcdef " + b"x" * 200],
)
async def test_what_makes_no_sense_on_the_channel_is_passed_over(
    shared: World, redis: OwnRedis, said: bytes
) -> None:
    async with process(shared, redis.client()) as one, process(shared, redis.client()) as other:
        await one.deciding.watch.hear()
        assert await one.allows(BOB) == [True]
        await cast("Any", other.redis).publish(CHANNEL, said)
        await other.deciding.watch.tell(["twin"])

        assert await one.deciding.watch.hear() == 0

        assert one.remembers(BOB)
        assert not one.deciding.memory.doubted


async def test_news_that_is_lost_is_found_by_the_next_look(shared: World, redis: OwnRedis) -> None:
    """The process that committed died before it could tell; or Redis lost it, or stands still."""
    settings = AccessSettings(redis_patience_seconds=0.01)
    async with (
        process(shared, redis.client(), settings) as here,
        process(shared, redis.client(), settings) as there,
    ):
        await there.deciding.watch.hear()
        for pause in (False, True):
            await shared.apply(given.grant("bob"), by="ada")
            await there.look()
            assert await there.allows(BOB) == [True]
            await shared.apply(given.revoke("bob"), by="ada")
            if pause:
                redis.pause()
                await here.look()
            await there.look()
            assert await there.allows(BOB) == [False]
            assert await there.allows(EVE) == [False]
        redis.go_on()


async def test_redis_that_is_killed_midway_is_missed_by_nobody(
    shared: World, redis: OwnRedis
) -> None:
    async with process(shared, redis.client()) as here, process(shared, redis.client()) as there:
        await there.deciding.watch.hear()
        assert await here.allows(BOB, ADA) == [True, True]
        redis.kill()
        await shared.apply(given.revoke("bob"), by="ada")
        for one in (here, there):
            assert await one.deciding.watch.hear() == 0
            await one.look()
            assert await one.allows(BOB, ADA, EVE) == [False, True, False]
            one.asked.clear()
            assert await one.allows(BOB, ADA, EVE) == [False, True, False]
            assert one.asked == []


async def test_what_one_process_decided_another_borrows(shared: World, redis: OwnRedis) -> None:
    async with process(shared, redis.client()) as here, process(shared, redis.client()) as there:
        lent = await here.answer(ADA, BOB)
        # Its own look is to be newer than what is lent, and it is to know who asks.
        await there.look()
        await there.answer(EVE)
        there.asked.clear()

        borrowed = await there.answer(ADA, BOB)

        assert there.asked == []
        assert borrowed.decisions == lent.decisions
        assert there.remembers(ADA, BOB)


async def test_what_was_lent_before_a_change_is_not_borrowed_after_it(
    shared: World, redis: OwnRedis
) -> None:
    async with process(shared, redis.client()) as here, process(shared, redis.client()) as there:
        assert await here.allows(BOB) == [True]
        await there.look()
        await there.answer(EVE)
        revoked = await revision_of(shared, given.revoke("bob"), by="ada")
        # Here nothing is known of it, and what was decided is lent once more.
        assert await there.allows(BOB, at_least=revoked) == [False]
        await there.look()
        await there.answer(EVE)
        there.asked.clear()

        assert await there.allows(BOB) == [False]
        assert there.asked


@pytest.mark.parametrize("of_another", ["database", "question", "answer"])
async def test_what_somebody_else_writes_into_redis_is_not_believed(
    shared: World, redis: OwnRedis, of_another: str
) -> None:
    """They read what is lent, and may write it anew: only with the password could they seal it."""
    async with process(shared, redis.client()) as here, process(shared, redis.client()) as there:
        lent = await here.answer(ADA, BOB, EVE)
        assert not lent.decisions[EVE].allowed
        client = cast("Any", here.redis)
        keys = {
            name: one
            for one in await client.keys("*")
            for name in (b"ada", b"bob", b"eve")
            if name in one
        }
        yes, no = await client.get(keys[b"ada"]), await client.get(keys[b"eve"])
        body = lent.decisions[ADA].body
        forged = {
            "database": _sealed_by_another(no, body),
            "question": yes,
            "answer": no[: no.rindex(b"\n") - 1] + b"1\n" + body,
        }[of_another]
        await client.set(keys[b"eve"], forged)
        await there.look()
        await there.answer(ADA)
        there.asked.clear()

        assert await there.allows(EVE) == [False]
        assert there.asked


def _sealed_by_another(lent: bytes, body: bytes) -> bytes:
    """Return it allowed, as a process would lend it that has another database's password."""
    written = lent[32 : lent.rindex(b"\n") - 1] + b"1\n" + body
    return hmac.digest(b"another key", written, "sha256") + written


async def test_what_is_lent_can_be_borrowed_with_the_password_alone(
    world: World,
) -> None:
    database = world.context.settings.database
    other = database.writer.model_copy(update={"password": SecretStr("another")})
    key = lending_key(database)
    assert key == lending_key(database.model_copy(update={"reader": other, "host": "elsewhere"}))
    assert key != lending_key(database.model_copy(update={"writer": other}))
    assert key != lending_key(database.model_copy(update={"name": "another"}))
