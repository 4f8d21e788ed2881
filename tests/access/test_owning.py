"""Accounts get their owners by themselves, on a real database."""

import asyncio

import pytest
from keyturn_contracts.access import GrantChanged

from services.access.jobs.owning import own, own_accounts
from tests.access import given
from tests.access.given import STRICT
from tests.access.world import World, told
from tests.waiting import eventually

HOLD_MAIL = "SELECT 1 FROM account WHERE brand_id = 'acme' AND id = 'mail' FOR UPDATE"


async def test_a_creator_becomes_an_owner_once(world: World) -> None:
    await world.hear(given.account())
    await world.follow()
    await world.hear(given.account())
    await world.follow()

    [event] = await world.events()
    assert isinstance(event, GrantChanged)
    assert (event.member, event.level, event.how, event.by) == ("ada", "owner", "created", "ada")
    assert event.until is None


async def test_it_is_on_record(world: World) -> None:
    await world.hear(given.account())
    await world.follow()

    assert await world.rows(
        "SELECT issuer, actor, action, subject, members, why FROM audit WHERE brand_id = :brand"
    ) == [("", "keyturn", "Own", "grants/mail", {"ada": "owner"}, "created")]


async def test_ownership_that_was_taken_away_does_not_come_back(world: World) -> None:
    await world.hear(given.account())
    await world.follow()
    await world.apply(given.grant("bob", level="owner"), by="ada")
    await world.apply(given.revoke("ada"), by="bob")

    await world.hear(given.account())
    await world.follow()

    assert await world.has() == {"bob": "owner"}


async def test_the_account_of_a_creator_who_has_left_goes_to_the_administrators(
    world: World,
) -> None:
    await world.apply(given.administrators("root", "bob", "ada"))
    await world.apply(given.remove("ada"))
    await world.follow()
    await world.hear(given.account())
    await world.events()

    await world.follow()

    assert told(await world.events()) == [
        ("AccessGranted", "mail/bob", "owner"),
        ("AccessGranted", "mail/root", "owner"),
    ]


async def test_who_leaves_hands_over_to_the_administrators_of_now(world: World) -> None:
    await world.apply(given.administrators("root", "ada"))
    await world.hear(given.account())
    await world.follow()
    await world.events()

    await world.apply(given.remove("ada"))
    await world.apply(given.administrators("bob"))
    await world.follow()

    assert await world.has() == {"bob": "owner", "root": "owner"}
    events = [one for one in await world.events() if isinstance(one, GrantChanged)]
    assert [(one.member, one.how, one.why_ended) for one in events] == [
        ("ada", "created", "member_removed"),
        ("bob", "handed_over", None),
        ("root", "handed_over", None),
    ]


async def test_what_another_owner_keeps_is_not_handed_over(world: World) -> None:
    await world.apply(given.administrators("root", "ada", "bob"))
    await world.account("mail", "ada", "bob")

    await world.apply(given.remove("ada"))
    await world.follow()

    assert await world.has() == {"bob": "owner"}


async def test_a_last_owner_who_left_and_is_named_in_a_revocation_hands_over_all_the_same(
    world: World,
) -> None:
    await world.apply(given.administrators("root", "ada"))
    await world.account("mail", "ada")

    await world.apply(given.remove("ada"))
    await world.apply(given.revoke("ada"))
    await world.follow()

    assert await world.has() == {"root": "owner"}


async def test_a_last_owner_whose_time_is_over_and_who_becomes_a_user_hands_over(
    world: World,
) -> None:
    await world.apply(given.administrators("root"))
    await world.apply(given.register("bob"))
    await world.account("mail", "bob")
    over = "UPDATE access_grant SET until = '2001-01-01' WHERE brand_id = :brand"
    await world.change(over)

    await world.apply(given.grant("bob"))
    await world.follow()

    assert await world.has() == {"bob": "user", "root": "owner"}


@pytest.mark.parametrize("is_new", [True, False])
async def test_whom_a_later_command_of_the_first_list_names_keeps_what_they_own(
    world: World, *, is_new: bool
) -> None:
    """Jobs run between its commands; nobody is given anything, and then the owner owns it."""
    if not is_new:
        await world.hear(given.account())
        await world.follow()
    await world.apply(given.administrators("root"))
    if is_new:
        await world.hear(given.account())
    await world.follow()
    assert await world.has() == {"ada": "owner"}
    assert (await world.refusal(given.grant("root"), by="ada")).reason == "not_an_owner"

    await world.apply(given.register("ada"))
    await world.follow()

    assert await world.has() == {"ada": "owner"}
    await world.apply(given.grant("root"), by="ada")
    assert (await world.refusal(given.grant("root", level="owner"))).reason == "not_an_owner"


async def test_while_all_its_owners_are_still_to_come_an_administrator_decides(
    world: World,
) -> None:
    await world.account("mail", "ada")
    await world.apply(given.administrators("root"))
    await world.follow()

    await world.apply(given.grant("root", level="owner"))
    await world.apply(given.register("ada"))
    await world.follow()

    assert await world.has() == {"ada": "owner", "root": "owner"}


async def test_what_is_taken_from_an_owner_who_is_still_to_come_is_handed_over(
    world: World,
) -> None:
    await world.account("mail", "ada")
    await world.apply(given.administrators("root"))

    await world.apply(given.revoke("ada"))
    await world.follow()
    await world.apply(given.register("ada"))

    assert await world.has() == {"root": "owner"}


async def test_what_ends_of_an_owner_who_is_still_to_come_is_handed_over(world: World) -> None:
    await world.account("mail", "ada")
    await world.apply(given.administrators("root"))
    await world.change("UPDATE access_grant SET until = now() WHERE brand_id = :brand")

    await world.follow()

    assert await world.has() == {"root": "owner"}


async def test_who_has_left_another_brand_is_still_to_come_in_this_one(world: World) -> None:
    await world.apply(given.administrators("root"))
    await world.hear(given.account(creator="dave"))
    await world.follow()

    assert await world.has() == {"dave": "owner"}


async def test_what_nobody_can_own_waits_for_the_first_administrator(world: World) -> None:
    await world.hear(given.account(creator="who/ever"))
    await world.follow()
    assert await world.has() == {}
    assert await own_accounts(world.database.writer, 100) == 0

    await world.apply(given.administrators("root"))
    await world.follow()

    assert await world.has() == {"root": "owner"}


async def test_what_is_being_uninstalled_gets_no_owner(world: World) -> None:
    await world.hear(given.installation(STRICT, state="uninstalling", uninstall_id="u1"))
    await world.hear(given.account("chat", STRICT), given.account("mail"))
    await world.follow()

    assert await world.has("chat") == {}
    assert await world.has("mail") == {"ada": "owner"}


async def test_what_was_deleted_before_anybody_owned_it_gets_no_owner(world: World) -> None:
    await world.hear(given.account())
    await world.hear(given.account_deleted())
    await world.follow()

    assert await world.events() == []
    assert await world.rows("SELECT is_to_own FROM account WHERE brand_id = :brand") == [(False,)]


async def test_more_than_fit_into_a_transaction_take_several(world: World) -> None:
    await world.apply(given.administrators(*(f"admin-{one}" for one in range(3))))
    await world.hear(*(given.account(f"a{one}", creator="no/body") for one in range(5)))

    passes = [await own_accounts(world.database.writer, 4) for _ in range(4)]

    assert passes == [2, 2, 1, 0]
    [(owners,)] = await world.rows(
        "SELECT count(*) FROM access_grant WHERE brand_id = :brand AND level = 'owner'"
    )
    assert owners == 15


async def test_an_account_that_somebody_holds_is_left_for_later(world: World) -> None:
    """Whoever saves news of it may be waiting for the very brand that the job holds."""
    await world.hear(given.account())
    async with world.database.writer.begin() as consumer:
        await consumer.exec_driver_sql(HOLD_MAIL)
        assert await own_accounts(world.database.writer, 100) == 0

    await world.follow()
    assert await world.has() == {"ada": "owner"}


async def test_nobody_leaves_the_list_while_ownership_is_decided(world: World) -> None:
    await world.apply(given.administrators("root", "bob"))
    await world.hear(given.account(creator="no/body"))
    async with world.database.writer.begin() as job:
        assert await own(job, 100) == 1
        leaving = asyncio.create_task(world.apply(given.remove("bob")))
        assert await eventually(world.has_a_waiter)
    await leaving

    await world.follow()
    assert await world.has() == {"root": "owner"}
