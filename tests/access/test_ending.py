"""What removed members had ends, and what there was on deleted accounts."""

from keyturn_contracts.access import GrantChanged

from services.access.jobs.ending import end_access, end_deleted, end_removed
from tests.access import given
from tests.access.given import LOUD, STRICT
from tests.access.world import World, told

HOLD_MAIL = "SELECT 1 FROM account WHERE brand_id = 'acme' AND id = 'mail' FOR UPDATE"


async def test_a_removed_members_access_ends_everywhere(world: World) -> None:
    await world.apply(given.administrators("root"))
    await world.apply(given.register("bob", "carol"))
    await world.account("mail", "root")
    await world.account("chat", "root", extension=STRICT)
    for account in ("mail", "chat"):
        await world.apply(given.grant("bob", "carol", account=account))
    await world.apply(given.enable("bob", "carol"))
    await world.apply(given.remove("bob"))
    await world.events()

    await world.follow()

    assert told(await world.events()) == [
        ("AccessRevoked", "chat/bob", "member_removed"),
        ("AccessRevoked", "mail/bob", "member_removed"),
        ("ExtensionDisabled", f"{LOUD}/bob", "member_removed"),
    ]
    assert await world.has() == {"root": "owner", "carol": "user"}
    assert await world.rows("SELECT id FROM member WHERE brand_id = :brand AND is_to_end") == []


async def test_what_is_ended_is_on_record_for_each_account_and_extension(world: World) -> None:
    await world.apply(given.administrators("root"))
    await world.apply(given.register("bob", "carol"))
    await world.account("mail", "root")
    await world.apply(given.grant("bob", "carol"))
    await world.apply(given.enable("bob"))
    await world.apply(given.remove("bob", "carol"))
    await world.follow()

    assert await world.rows(
        "SELECT action, subject, members, why FROM audit"
        " WHERE brand_id = :brand AND actor = 'keyturn' ORDER BY subject DESC"
    ) == [
        ("End", "grants/mail", {"bob": "ended", "carol": "ended"}, "member_removed"),
        ("End", f"enablements/{LOUD}", {"bob": "ended"}, "member_removed"),
    ]


async def test_who_comes_back_comes_back_with_nothing(world: World) -> None:
    await world.apply(given.administrators("root"))
    await world.apply(given.register("bob"))
    await world.account("mail", "root")
    await world.apply(given.grant("bob"))
    await world.apply(given.remove("bob"))
    await world.apply(given.register("bob"))
    await world.apply(given.grant("bob", level="user"))

    await world.follow()

    assert await world.has() == {"root": "owner", "bob": "user"}


async def test_every_grant_on_a_deleted_account_ends_and_nobody_inherits(world: World) -> None:
    await world.apply(given.administrators("root", "ada"))
    await world.apply(given.register("bob"))
    await world.account("mail", "ada")
    await world.account("chat", "ada", extension=STRICT)
    await world.apply(given.grant("bob"), by="ada")
    await world.apply(given.grant_all(), by="ada")
    await world.events()

    await world.hear(given.account_deleted())
    await world.follow()

    events = await world.events()
    assert sorted(told(events)) == [
        ("AccessRevoked", "mail/*", "account_deleted"),
        ("AccessRevoked", "mail/ada", "account_deleted"),
        ("AccessRevoked", "mail/bob", "account_deleted"),
    ]
    assert {one.by for one in events if isinstance(one, GrantChanged)} == {"keyturn"}
    assert await world.has() == {}
    assert await world.has("chat") == {"ada": "owner"}


async def test_on_a_deleted_account_nothing_is_left_to_do(world: World) -> None:
    await world.account("mail", "ada")
    await world.hear(given.account_deleted())
    await world.follow()

    assert await world.rows("SELECT is_to_end, is_to_own FROM account WHERE brand_id = :brand") == [
        (False, False)
    ]
    assert await end_access(world.database.writer, 100) == 0


async def test_an_owner_who_left_a_deleted_account_hands_nothing_over(world: World) -> None:
    await world.apply(given.administrators("root", "ada"))
    await world.account("mail", "ada")
    await world.apply(given.remove("ada"))
    await world.hear(given.account_deleted())
    await world.events()

    await world.follow()

    assert told(await world.events()) == [("AccessRevoked", "mail/ada", "member_removed")]


async def test_more_than_fit_into_a_transaction_take_several(world: World) -> None:
    await world.apply(given.administrators("root"))
    members = [f"m{one}" for one in range(5)]
    await world.apply(given.register(*members))
    await world.account("mail", "root")
    await world.apply(given.grant(*members))
    await world.apply(given.remove(*members[:3]))
    await world.events()

    async def passes(work: str) -> list[int]:
        jobs = {"removed": end_removed, "deleted": end_deleted}
        done: list[int] = []
        while not done or done[-1]:
            async with world.database.writer.begin() as connection:
                done.append(await jobs[work](connection, 2))
        return done

    # The members of whom nothing is left count too.
    assert sum(await passes("removed")) == 3 + 3
    await world.hear(given.account_deleted())
    assert sum(await passes("deleted")) == 3 + 1
    assert len(await world.events()) == 6
    assert await world.has() == {}


async def test_an_account_that_somebody_holds_is_left_for_later(world: World) -> None:
    await world.account("mail", "ada")
    await world.hear(given.account_deleted())
    async with world.database.writer.begin() as consumer:
        await consumer.exec_driver_sql(HOLD_MAIL)
        assert await end_access(world.database.writer, 100) == 0

    await world.follow()
    assert await world.has() == {}


async def test_a_process_that_dies_before_its_commit_leaves_it_to_the_next(world: World) -> None:
    await world.account("mail", "ada", "bob")
    await world.hear(given.account_deleted())
    async with world.database.writer.connect() as connection:
        assert await end_deleted(connection, 1) == 1
        await connection.rollback()
    assert await world.events() == []

    await world.follow()
    assert len(await world.events()) == 2
