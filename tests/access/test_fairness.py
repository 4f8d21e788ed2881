"""No brand's jobs wait behind the thousands of another one."""

import pytest

from services.access.jobs.clearing import clear_uninstalled
from services.access.jobs.ending import end_access
from services.access.jobs.expiring import expire_grants
from services.access.jobs.gathering import NeverListed
from services.access.jobs.owning import own_accounts
from tests.access import given
from tests.access.given import LOUD
from tests.access.world import World, let_a_week_pass

SEVERAL = [f"n{one}" for one in range(9)]


@pytest.fixture
async def small(world: World) -> World:
    """Return a brand whose name comes behind that of `world`'s."""
    return World(world.database, world.context, brand="zoo")


async def test_accounts_get_their_owners(world: World, small: World) -> None:
    await world.hear(*(given.account(one) for one in SEVERAL))
    await small.hear(given.account())

    await own_accounts(world.database.writer, 2)

    assert await small.has() == {"ada": "owner"}


async def test_administrators_get_the_first_account_however_many_the_others_are(
    world: World, small: World
) -> None:
    await world.apply(given.administrators("root", *SEVERAL))
    await small.apply(given.administrators("root"))
    await world.hear(*(given.account(one, creator="no/body") for one in SEVERAL))
    await small.hear(given.account(creator="no/body"))

    await own_accounts(world.database.writer, 2)

    assert await small.has() == {"root": "owner"}


async def test_what_removed_members_had_ends(world: World, small: World) -> None:
    await small.hear(given.installation(LOUD))
    for brand in (world, small):
        await brand.account("mail", "root")
        await brand.account("chat", "root")
        await brand.apply(given.register(given.member("root", "administrator"), *SEVERAL))
    for account in ("mail", "chat"):
        await world.apply(given.grant(*SEVERAL, account=account))
    await world.apply(given.enable(*SEVERAL))
    await world.apply(given.remove(*SEVERAL))
    await small.apply(given.grant("n0"))
    await small.apply(given.enable("n0"))
    await small.apply(given.remove("n0"))

    await end_access(world.database.writer, 2)

    assert await small.has() == {"root": "owner"}
    assert (
        await small.rows("SELECT 1 FROM enablement WHERE brand_id = :brand AND state = 'enabled'")
        == []
    )
    assert await small.rows("SELECT 1 FROM member WHERE brand_id = :brand AND is_to_end") == []


async def test_what_there_was_on_deleted_accounts_ends(world: World, small: World) -> None:
    for account in ("mail", *SEVERAL):
        await world.account(account, "root")
    await small.account("mail", "root")
    await world.apply(given.grant(*SEVERAL))
    await world.hear(*(given.account_deleted(one) for one in ("mail", *SEVERAL)))
    await small.hear(given.account_deleted())

    await end_access(world.database.writer, 2)

    assert await small.has() == {}


async def test_what_has_run_out_ends(world: World, small: World) -> None:
    for brand in (world, small):
        await brand.account("mail", "root")
        await brand.apply(given.grant("n0"))
    await world.apply(given.grant(*SEVERAL))
    for brand, days in ((world, 2), (small, 1)):
        await brand.change(
            "UPDATE access_grant SET until = now() - make_interval(days => :days)"
            " WHERE brand_id = :brand",
            days=days,
        )

    await expire_grants(world.database.writer, 2)

    assert len(await small.has()) == 1


async def test_what_was_given_to_whom_the_list_never_named_ends(world: World, small: World) -> None:
    for brand in (world, small):
        await brand.account("mail", "root")
        await brand.apply(given.grant("n0"))
    await world.apply(given.grant(*SEVERAL))
    for brand in (world, small):
        await brand.apply(given.administrators("root"))
        await let_a_week_pass(brand.database.writer, brand.brand)

    await NeverListed().end(world.database.writer, 2)

    assert await small.has() == {"root": "owner"}


async def test_extensions_are_cleared_and_told_done(world: World, small: World) -> None:
    await small.hear(given.installation(LOUD))
    for brand in (world, small):
        await brand.account("mail", "root")
    await world.apply(given.grant(*SEVERAL))
    for brand in (world, small):
        await brand.hear(given.installation(LOUD, state="uninstalling", uninstall_id="u1"))

    await clear_uninstalled(world.database.writer, 2)

    assert await small.has() == {}
    done = "SELECT is_done FROM clearance WHERE brand_id = :brand"
    assert (await small.rows(done), await world.rows(done)) == ([(True,)], [(False,)])
