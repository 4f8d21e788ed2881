"""What two transactions do to each other: nobody waits in a circle, and nothing is lost."""

import asyncio

from keyturn_contracts.catalog import LicenceChanged
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.installation.jobs.following import follow_installations, look
from services.installation.store import due
from services.installation.store.keys import key_of
from shared.messaging.batch import apply_batch
from tests.installation import given
from tests.installation.given import LOUD, NEWS, RELAY, STRICT, WEB
from tests.installation.world import HANDLERS, POLICY, World, told
from tests.waiting import eventually

LOUD_KEY = key_of("acme", LOUD)


async def waits_for_a_lock(world: World) -> bool:
    """Tell whether somebody in this database waits for another's lock."""
    return bool(
        await world.rows(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock'"
        )
    )


async def test_news_and_a_command_of_one_batch_do_not_wait_in_a_circle_with_the_job(
    world: World,
) -> None:
    """The consumer notes what is due, then locks the installation; the job the other way round."""
    await world.apply(given.install())
    await world.follow()
    await world.events()
    await world.hear(given.account("a1"))
    await world.tell(world.news(given.account("a2", host="two.example.net", port="443")))

    async with world.database.writer.begin() as consumer:
        # What is due is noted again here, and held until this commits.
        await apply_batch(
            consumer,
            HANDLERS,
            [world.news(given.account("a3", host="three.example.net", port="443"))],
        )
        async with world.database.writer.begin() as job:
            # It holds the installation, and leaves what the consumer is just noting.
            assert (await look(job, POLICY, 100))[0] == 0
            command = asyncio.create_task(
                apply_batch(consumer, HANDLERS, [world.asks(given.add("pictures.example.org"))])
            )
            assert await eventually(lambda: waits_for_a_lock(world))
        await command

    await world.follow()
    last = (await world.events())[-1]
    assert last.domains == (
        "api.example.com",
        "pictures.example.org",
        "smtp.example.net:587",
        "three.example.net",
        "two.example.net",
    )


async def test_news_that_comes_while_it_is_followed_is_followed_afterwards(world: World) -> None:
    await world.apply(given.install())
    await world.follow()
    await world.events()
    await world.tell(world.news(given.account("a1")))

    async with world.database.writer.begin() as job:
        assert (await look(job, POLICY, 100))[0] == 1
        telling = asyncio.create_task(
            world.tell(world.news(given.account("a2", host="two.example.net", port="443")))
        )
        assert await eventually(lambda: waits_for_a_lock(world))
    await telling

    assert await follow_installations(world.database.writer, POLICY, 100) == 1
    assert (await world.events())[-1].domains == (
        "api.example.com",
        "smtp.example.net:587",
        "two.example.net",
    )


async def test_a_job_that_dies_before_its_commit_leaves_everything_to_the_next(
    world: World,
) -> None:
    await world.apply(given.install())
    await world.follow()
    await world.events()
    await world.tell(world.news(given.account("a1")))

    async with world.database.writer.connect() as job:
        assert (await look(job, POLICY, 100))[0] == 1
        await job.rollback()
    assert await world.events() == []

    await world.follow()
    assert told(await world.events()) == [("DomainsChanged", LOUD, "installed")]


async def test_two_processes_bring_what_a_licence_brings_once(world: World) -> None:
    """Both find what is due of an installation that is not there yet, each by another cause."""
    await world.licence(LOUD)
    await world.events()
    await world.tell(world.news(LicenceChanged(extensions=(LOUD, RELAY, WEB))))
    async with world.database.writer.begin() as connection:
        await connection.execute(text("DELETE FROM installation WHERE brand_id = 'acme'"))
        await due.spread(connection, 100)

    async def follow(connection: AsyncConnection) -> int:
        return (await look(connection, POLICY, 100))[0]

    async with world.database.writer.begin() as first:
        assert await follow(first) == 2
        async with world.database.writer.begin() as second:
            assert await follow(second) == 0

    assert [one.extension for one in await world.events()] == [RELAY, WEB]


async def test_passes_of_many_processes_at_once_announce_each_thing_once(world: World) -> None:
    slugs = (LOUD, STRICT)
    for one in slugs:
        await world.apply(given.install(one))
    await world.apply(given.add("pictures.example.org"))
    await world.events()
    await world.tell(
        *(world.news(given.account(f"a{one}", host=f"h{one}.example.net")) for one in range(20)),
        world.news(LicenceChanged(extensions=(RELAY, NEWS))),
    )

    async def work_off() -> None:
        for _ in range(20):
            async with world.database.writer.begin() as connection:
                await due.spread(connection, 1)
            await follow_installations(world.database.writer, POLICY, 1)

    await asyncio.gather(*(work_off() for _ in range(4)))

    states = await world.rows(
        "SELECT extension, state FROM installation WHERE brand_id = :brand ORDER BY extension"
    )
    assert states == [
        (LOUD, "suspended"),
        (RELAY, "installed"),
        (STRICT, "suspended"),
        (WEB, "suspended"),
    ]
    names = told(await world.events())
    assert len(names) == len(set(names))
