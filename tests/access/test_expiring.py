"""What has run out ends, and says so."""

from datetime import UTC, datetime, timedelta

from keyturn_contracts.access import GrantChanged

from services.access.jobs.expiring import expire, expire_grants
from tests.access import given
from tests.access.world import World, told


async def run_out(world: World, *members: str, account: str = "mail") -> None:
    """Move the end of these grants into the past, as time does."""
    for one in members:
        await world.change(
            "UPDATE access_grant SET until = now() WHERE brand_id = :brand AND member = :member"
            " AND account_id = :account",
            member=one,
            account=account,
        )


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


async def test_a_grant_ends_when_its_time_has_come_and_says_why(world: World) -> None:
    await world.account("mail", "ada")
    await world.apply(given.grant("bob", "carol", until=soon()), by="ada")
    await world.events()
    await run_out(world, "bob")

    await world.follow()

    [event] = await world.events()
    assert isinstance(event, GrantChanged)
    assert told([event]) == [("AccessRevoked", "mail/bob", "expired")]
    assert (event.by, event.level, event.state) == ("keyturn", "user", "ended")
    assert event.until is not None
    assert event.since >= event.until
    assert await world.has() == {"ada": "owner", "carol": "user"}


async def test_before_its_time_nothing_ends(world: World) -> None:
    await world.account("mail", "ada")
    await world.apply(given.grant("bob", until=soon()), by="ada")
    await world.events()

    await world.follow()

    assert await world.events() == []


async def test_everyones_ends_too(world: World) -> None:
    await world.account("mail", "ada")
    await world.apply(given.grant_all(until=soon()), by="ada")
    await world.events()
    await run_out(world, "*")

    await world.follow()

    assert told(await world.events()) == [("AccessRevoked", "mail/*", "expired")]


async def test_the_last_owner_whose_time_is_over_hands_over(world: World) -> None:
    await world.apply(given.administrators("root", "bob"))
    await world.account("mail", "bob")
    await world.apply(given.grant("bob", level="owner", until=soon()), by="bob")
    await world.events()
    await run_out(world, "bob")

    await world.follow()

    assert told(await world.events()) == [
        ("AccessRevoked", "mail/bob", "expired"),
        ("AccessGranted", "mail/bob", "owner"),
        ("AccessGranted", "mail/root", "owner"),
    ]


async def test_it_is_on_record(world: World) -> None:
    await world.account("mail", "ada")
    await world.apply(given.grant("bob", until=soon()), by="ada")
    await run_out(world, "bob")
    await world.follow()

    assert await world.rows(
        "SELECT issuer, actor, action, subject, members, why FROM audit"
        " WHERE brand_id = :brand AND actor = 'keyturn'"
    ) == [("", "keyturn", "End", "grants/mail", {"bob": "ended"}, "expired")]


async def test_what_was_extended_in_time_stays(world: World) -> None:
    await world.account("mail", "ada")
    await world.apply(given.grant("bob", until=soon()), by="ada")
    await run_out(world, "bob")
    await world.apply(given.grant("bob", until=soon()), by="ada")
    await world.events()

    await world.follow()

    assert await world.events() == []


async def test_more_than_fit_into_a_transaction_take_several(world: World) -> None:
    await world.account("mail", "ada")
    members = [f"m{one}" for one in range(5)]
    await world.apply(given.grant(*members, until=soon()), by="ada")
    await run_out(world, *members)

    assert [await expire_grants(world.database.writer, 2) for _ in range(4)] == [2, 2, 1, 0]


async def test_a_process_that_dies_before_its_commit_leaves_it_to_the_next(world: World) -> None:
    await world.account("mail", "ada")
    await world.apply(given.grant("bob", until=soon()), by="ada")
    await world.events()
    await run_out(world, "bob")
    async with world.database.writer.connect() as connection:
        assert await expire(connection, 100) == 1
        await connection.rollback()
    assert await world.events() == []

    await world.follow()
    assert told(await world.events()) == [("AccessRevoked", "mail/bob", "expired")]
