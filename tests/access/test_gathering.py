"""A list has a week to come together; then what was given before to whom it never named ends."""

import asyncio
from itertools import pairwise

from keyturn_contracts.access import GrantChanged
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.jobs.gathering import NeverListed
from tests.access import given
from tests.access.given import LOUD
from tests.access.world import World, let_a_week_pass, told
from tests.batches import TWIN
from tests.waiting import eventually

GIVEN = [("mail", "*"), ("mail", "ada"), ("mail", "bob"), ("mail", "carol")]


async def given_before_the_list(world: World) -> None:
    """Have an account of `ada`, shared with others, and then a list of `root` and `carol`."""
    await world.account("mail", "ada")
    await world.apply(given.grant("bob", "carol"), by="ada")
    await world.apply(given.grant_all(), by="ada")
    await world.apply(given.enable("bob", "carol"))
    await world.apply(given.enable())
    await world.apply(given.register(given.member("root", "administrator"), "carol"))
    await world.events()


async def alive(world: World) -> list[tuple[str, str]]:
    return [
        (account, member)
        for account, member in await world.rows(
            "SELECT account_id, member FROM access_grant"
            " WHERE brand_id = :brand AND state = 'granted' ORDER BY 1, 2"
        )
    ]


async def test_what_was_given_before_counts_for_who_is_registered_within_the_week(
    world: World,
) -> None:
    await given_before_the_list(world)
    await world.follow()
    assert await alive(world) == GIVEN

    await world.apply(given.register("ada", "bob"))
    await let_a_week_pass(world.database.writer, world.brand)
    await world.follow()

    assert await alive(world) == GIVEN
    await world.apply(given.grant("root"), by="ada")


async def test_afterwards_it_ends_for_whom_the_list_never_named(world: World) -> None:
    await given_before_the_list(world)
    await let_a_week_pass(world.database.writer, world.brand)
    await world.follow()

    events = await world.events()
    assert sorted(told(events)) == [
        ("AccessGranted", "mail/root", "owner"),
        ("AccessRevoked", "mail/ada", "member_removed"),
        ("AccessRevoked", "mail/bob", "member_removed"),
        ("ExtensionDisabled", f"{LOUD}/bob", "member_removed"),
    ]
    assert {one.by for one in events if isinstance(one, GrantChanged)} == {"keyturn"}
    await world.apply(given.administrators("ada", "bob"))
    await world.follow()
    assert await alive(world) == [("mail", "*"), ("mail", "carol"), ("mail", "root")]
    assert await world.rows(
        "SELECT member FROM enablement WHERE brand_id = :brand AND state = 'enabled' ORDER BY 1"
    ) == [("*",), ("carol",)]


async def test_afterwards_a_creator_who_is_not_on_the_list_owns_nothing(world: World) -> None:
    await world.apply(given.administrators("root"))
    await let_a_week_pass(world.database.writer, world.brand)
    await world.follow()

    await world.hear(given.account(creator="ada"))
    await world.follow()

    assert await world.has() == {"root": "owner"}


async def test_a_brand_without_a_list_waits_for_none(world: World) -> None:
    await world.account("mail", "ada")
    await world.apply(given.grant("bob"), by="ada")
    await world.follow()

    assert await world.has() == {"ada": "owner", "bob": "user"}
    assert await world.rows("SELECT gathers_until FROM brand WHERE brand_id = :brand") == [(None,)]


async def test_a_list_gathers_once(world: World) -> None:
    await world.apply(given.administrators("root"))
    [(gathers,)] = await world.rows(
        "SELECT gathers_until - now() BETWEEN interval '6 days 23 hours' AND interval '7 days'"
        " FROM brand WHERE brand_id = :brand"
    )
    assert gathers
    await let_a_week_pass(world.database.writer, world.brand)
    await world.follow()

    await world.apply(given.register("ada"))

    assert await world.rows("SELECT gathers_until FROM brand WHERE brand_id = :brand") == [(None,)]
    assert await world.rows(
        "SELECT gathers_until IS NULL FROM brand WHERE brand_id = :twin", twin=TWIN
    ) == [(False,)]


async def test_more_than_fit_into_a_transaction_take_several(world: World) -> None:
    people = [f"m{one}" for one in range(5)]
    await world.account("mail", "root")
    await world.apply(given.grant(*people))
    await world.apply(given.enable(*people))
    await world.apply(given.administrators("root"))
    await let_a_week_pass(world.database.writer, world.brand)

    await world.events()
    job = NeverListed()
    ended: list[int] = []
    while await job.end(world.database.writer, 2):
        ended.append(len(await world.events()))

    assert sum(ended) == 5 + 5
    assert max(ended) == 2 + 2
    assert await world.has() == {"root": "owner"}


async def test_all_is_read_once_and_little_in_each_pass(world: World) -> None:
    people = [f"m{one:03}" for one in range(200)]
    await world.account("mail", "root")
    await world.apply(given.grant(*people))
    await world.apply(given.register(given.member("root", "administrator"), *people))
    await let_a_week_pass(world.database.writer, world.brand)

    job = NeverListed()
    reads: list[int] = []
    async with world.database.writer.begin() as connection:
        # As of very many rows: of few all are read, and sorted.
        for one in ("seqscan", "bitmapscan", "sort"):
            await connection.execute(text(f"SET LOCAL enable_{one} = off"))
        while await job.end_some(connection, 10):
            reads.append(await rows_read(connection))

    assert len(reads) > 200 / 10
    assert max(after - before for before, after in pairwise(reads)) <= 10
    assert reads[-1] - reads[0] <= 200


async def rows_read(connection: AsyncConnection) -> int:
    """Return how many grants the transaction has read."""
    found = await connection.scalars(
        text(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
            " WHERE relid = 'access_grant'::regclass"
        )
    )
    return found.one()


async def test_others_go_on_with_a_brand_while_nothing_of_it_ends(world: World) -> None:
    people = [f"m{one}" for one in range(5)]
    await world.account("mail", "root")
    await world.apply(given.grant(*people))
    await world.apply(given.register(given.member("root", "administrator"), *people))
    await let_a_week_pass(world.database.writer, world.brand)

    async with world.database.writer.begin() as job:
        assert await NeverListed().end_some(job, 2) == 2
        await world.apply(given.register("ada"))


async def test_who_comes_onto_the_list_meanwhile_waits_and_begins_with_nothing(
    world: World,
) -> None:
    await given_before_the_list(world)
    await let_a_week_pass(world.database.writer, world.brand)

    async with world.database.writer.begin() as job:
        assert await NeverListed().end_some(job, 100) > 0
        coming = asyncio.create_task(world.apply(given.register("bob")))
        assert await eventually(world.has_a_waiter)
    await coming
    await world.follow()

    assert await alive(world) == [("mail", "*"), ("mail", "carol"), ("mail", "root")]
