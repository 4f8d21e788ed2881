"""What two transactions do to each other: who changes the list goes alone, and nothing is lost."""

import asyncio

from keyturn_contracts.message import Command, CommandApplied, CommandRefused
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.handlers import handlers
from services.access.jobs.ending import end_access
from shared.messaging.batch import Message, apply_batch
from tests.access import given
from tests.access.given import LOUD
from tests.access.world import World
from tests.waiting import eventually


async def outcome_of(
    connection: AsyncConnection, message: Message
) -> CommandApplied | CommandRefused:
    [(_, outcome)] = (await apply_batch(connection, handlers, [message])).answers
    return outcome


async def meanwhile(
    world: World, first: Message, second: Message
) -> list[CommandApplied | CommandRefused]:
    """Apply one, and another that waits for its commit; return both outcomes."""

    async def apply() -> CommandApplied | CommandRefused:
        async with world.database.writer.begin() as connection:
            return await outcome_of(connection, second)

    async with world.database.writer.begin() as connection:
        before = await outcome_of(connection, first)
        after = asyncio.create_task(apply())
        assert await eventually(world.has_a_waiter)
    return [before, await after]


def names(outcomes: list[CommandApplied | CommandRefused]) -> list[str]:
    return [one.reason if isinstance(one, CommandRefused) else one.outcome for one in outcomes]


async def test_the_first_list_waits_for_who_gives_access_without_one(world: World) -> None:
    """Of a brand of which nothing was ever said there is a lock all the same."""
    await world.account("mail", "ada", "bob")

    outcomes = await meanwhile(
        world, world.asks(given.revoke("bob"), by="ada"), world.asks(given.administrators("bob"))
    )

    assert names(outcomes) == ["applied", "applied"]
    await world.follow()
    assert await world.has() == {"ada": "owner"}


async def test_who_gives_access_waits_for_the_list_and_goes_by_it(world: World) -> None:
    await world.account("mail", "root")

    outcomes = await meanwhile(
        world, world.asks(given.administrators("root")), world.asks(given.grant("eve"))
    )

    assert names(outcomes) == ["applied", "members_refused"]


async def test_nobody_gives_anything_to_who_is_just_being_removed(world: World) -> None:
    await world.account("mail", "root")
    await world.apply(given.register(given.member("root", "administrator"), "ada"))

    for second in (given.grant("ada"), given.enable("ada")):
        await world.apply(given.register("ada"))
        outcomes = await meanwhile(world, world.asks(given.remove("ada")), world.asks(second))
        assert names(outcomes) == ["applied", "members_refused"]


async def test_a_removal_waits_for_who_gives_access_and_ends_that_too(world: World) -> None:
    await world.account("mail", "root")
    await world.apply(given.register(given.member("root", "administrator"), "ada"))

    outcomes = await meanwhile(
        world, world.asks(given.grant("ada")), world.asks(given.remove("ada"))
    )
    await world.follow()

    assert names(outcomes) == ["applied", "applied"]
    assert await world.has() == {"root": "owner"}


async def test_two_owners_who_revoke_each_other_do_not_both(world: World) -> None:
    await world.account("mail", "ada", "bob")

    outcomes = await meanwhile(
        world,
        world.asks(given.revoke("ada"), by="bob"),
        world.asks(given.revoke("bob"), by="ada"),
    )

    assert names(outcomes) == ["applied", "not_an_owner"]
    assert await world.has() == {"bob": "owner"}


async def test_commands_on_different_accounts_do_not_wait_for_each_other(world: World) -> None:
    await world.account("mail", "ada")
    await world.account("chat", "ada")
    # The very first command of a brand makes its row; who comes at the same time waits for that.
    await world.apply(given.enable("ada"))

    async with (
        world.database.writer.begin() as first,
        world.database.writer.begin() as second,
    ):
        commands: tuple[Command, ...] = (given.grant("bob"), given.grant("bob", account="chat"))
        outcomes = [
            await outcome_of(connection, world.asks(command, by="ada"))
            for connection, command in zip((first, second), commands, strict=True)
        ]

    assert names(outcomes) == ["applied", "applied"]


async def test_news_of_an_uninstallation_waits_for_who_enables_it(world: World) -> None:
    """Else what was enabled would not be visible to the job that ends it."""
    async with world.database.writer.begin() as connection:
        enabled = await outcome_of(connection, world.asks(given.enable("ada")))
        telling = asyncio.create_task(
            world.hear(given.installation(LOUD, state="uninstalling", uninstall_id="u1"))
        )
        assert await eventually(world.has_a_waiter)
    await telling
    await world.follow()

    assert names([enabled]) == ["applied"]
    assert await world.rows("SELECT state, why_ended FROM enablement WHERE brand_id = :brand") == [
        ("disabled", "uninstalled")
    ]


async def test_who_gives_access_goes_by_the_news_that_came_while_they_waited(
    world: World,
) -> None:
    await world.account("mail", "ada")
    # The very first command of a brand makes its row; who comes at the same time waits for that.
    await world.apply(given.grant("dave"), by="ada")

    async def give() -> CommandApplied | CommandRefused:
        async with world.database.writer.begin() as connection:
            return await outcome_of(connection, world.asks(given.grant("bob"), by="ada"))

    async with world.database.writer.begin() as other:
        await outcome_of(other, world.asks(given.grant("carol"), by="ada"))
        giving = asyncio.create_task(give())
        assert await eventually(world.has_a_waiter)
        await world.hear(given.installation(LOUD, state="uninstalling", uninstall_id="u1"))
    assert names([await giving]) == ["uninstalling"]


async def test_news_of_accounts_and_installations_take_locks_in_the_order_of_commands(
    world: World,
) -> None:
    """Accounts first: whoever waits for one holds no installation."""
    await world.account("mail", "ada")
    both = given.account_deleted(), given.installation(LOUD, state="suspended")
    async with world.database.writer.begin() as other:
        await outcome_of(other, world.asks(given.grant("bob"), by="ada"))
        telling = asyncio.create_task(world.hear(*both))
        assert await eventually(world.has_a_waiter)
        await other.exec_driver_sql(
            "SELECT 1 FROM installation WHERE brand_id = 'acme' AND extension = 'loud-mail'"
            " FOR UPDATE NOWAIT"
        )
    await telling


async def test_a_deletion_waits_for_who_gives_access_and_ends_that_too(world: World) -> None:
    await world.account("mail", "ada")
    async with world.database.writer.begin() as connection:
        granted = await outcome_of(connection, world.asks(given.grant("bob"), by="ada"))
        telling = asyncio.create_task(world.hear(given.account_deleted()))
        assert await eventually(world.has_a_waiter)
    await telling
    await world.follow()

    assert names([granted]) == ["applied"]
    assert await world.has() == {}


async def test_the_job_that_ends_a_removal_leaves_who_has_come_back_meanwhile(
    world: World,
) -> None:
    """It has found whom to end, and then waits for the list, on which they are again."""
    await world.account("mail", "root")
    await world.apply(given.register(given.member("root", "administrator"), "ada"))
    await world.apply(given.grant("ada"))
    await world.apply(given.remove("ada"))

    async with world.database.writer.begin() as connection:
        await outcome_of(connection, world.asks(given.register("ada")))
        await outcome_of(connection, world.asks(given.grant("ada")))
        job = asyncio.create_task(end_access(world.database.writer, 100))
        assert await eventually(world.has_a_waiter)
    await job

    assert await world.has() == {"root": "owner", "ada": "user"}
