"""What other services announced, in any order and repeated, and what is to follow from it."""

from tests.access import given
from tests.access.given import LOUD
from tests.access.world import World
from tests.batches import news

FLAGS = "SELECT is_deleted, is_to_own, is_to_end FROM account WHERE brand_id = :brand"
TO_END = (
    "SELECT state, uninstall_id, is_to_end FROM installation"
    " WHERE brand_id = :brand AND extension = 'loud-mail'"
)


async def test_a_new_account_is_to_have_an_owner(world: World) -> None:
    await world.hear(given.account())

    assert await world.rows(FLAGS) == [(False, True, False)]


async def test_news_of_a_known_account_has_nothing_follow(world: World) -> None:
    await world.account("mail", "ada")

    await world.hear(given.account())

    assert await world.rows(FLAGS) == [(False, False, False)]
    assert await world.rows("SELECT is_created FROM account WHERE brand_id = :brand") == [(True,)]


async def test_the_grants_on_a_deleted_account_are_to_end(world: World) -> None:
    await world.account("mail", "ada")

    await world.hear(given.account_deleted())

    assert await world.rows(FLAGS) == [(True, False, True)]


async def test_on_what_was_deleted_before_it_was_heard_of_nothing_is_to_end(world: World) -> None:
    await world.hear(given.account_deleted())

    assert await world.rows(FLAGS) == [(True, False, False)]


async def test_an_account_that_a_restored_vault_has_again_is_to_have_an_owner(
    world: World,
) -> None:
    await world.account("mail", "ada")
    await world.hear(given.account_deleted())

    await world.hear(given.account())

    assert await world.rows(FLAGS) == [(False, True, True)]


async def test_older_news_changes_nothing(world: World) -> None:
    await world.tell(
        news(given.account_deleted(), 1, epoch=2, brand=world.brand),
        news(given.account(), 9, epoch=1, brand=world.brand),
    )
    await world.tell(news(given.account(), 8, epoch=1, brand=world.brand))

    assert await world.rows(FLAGS) == [(True, False, False)]


async def test_what_is_being_uninstalled_is_to_end(world: World) -> None:
    await world.hear(given.installation(LOUD, state="uninstalling", uninstall_id="u1"))

    assert await world.rows(TO_END) == [("uninstalling", "u1", True)]


async def test_what_was_uninstalled_is_to_end_unless_that_is_done(world: World) -> None:
    await world.change(
        "INSERT INTO clearance (brand_id, extension, uninstall_id, grants, enablements, is_done)"
        " VALUES (:brand, 'loud-mail', 'u1', 0, 0, true)"
    )

    await world.hear(given.installation(LOUD, state="uninstalled", uninstall_id="u1"))
    done = await world.rows(TO_END)
    await world.hear(given.installation(LOUD, state="uninstalled", uninstall_id="u2"))

    assert done == [("uninstalled", "u1", False)]
    assert await world.rows(TO_END) == [("uninstalled", "u2", True)]


async def test_what_is_to_end_stays_so_although_it_is_installed_again(world: World) -> None:
    await world.hear(given.installation(LOUD, state="uninstalling", uninstall_id="u1"))

    await world.hear(given.installation(LOUD))

    assert await world.rows(TO_END) == [("installed", "u1", True)]
