"""No brand sees or changes another's: the twin has the same accounts, members and extensions.

Every test of this folder compares the twin's rows, and who locked them, before and after.
"""

from services.access.store.people import load_listed
from tests.access import given
from tests.access.given import LOUD, RELAY, STRICT
from tests.access.world import World
from tests.batches import TWIN


async def test_all_commands_about_what_the_twin_has_too_leave_it_as_it_is(world: World) -> None:
    await world.account("mail", "ada", "root")
    await world.account("chat", "root", extension=STRICT)
    await world.account("relay", "root", extension=RELAY)
    commands = (
        given.grant("bob", "carol", "dave"),
        given.grant_all(),
        given.revoke("carol"),
        given.enable("ada", "carol"),
        given.disable("carol"),
        given.enable(extension=STRICT),
        given.administrators("root", "ada"),
        given.register("bob", "carol", "dave"),
        given.remove("bob", "carol"),
        given.policy("flag"),
        given.revoke("dave"),
        given.grant("ada", account="chat", level="owner"),
    )
    for one in commands:
        assert (await world.apply(one)).changed
    await world.hear(given.account_deleted("relay", RELAY))
    await world.hear(given.installation(LOUD, state="uninstalling", uninstall_id="u1"))
    await world.follow()


async def test_who_is_an_administrator_elsewhere_is_nobody_here(world: World) -> None:
    await world.account("mail", "ada")
    await world.apply(given.administrators("olga"))

    for command in (
        given.register("eve"),
        given.remove("olga"),
        given.policy(),
        given.enable("olga"),
        given.disable("olga"),
    ):
        assert (await world.refusal(command, by="root")).reason == "not_an_administrator"
    assert (await world.refusal(given.grant("olga"), by="root")).reason == "not_an_owner"


async def test_what_two_brands_ask_at_once_is_each_ones_own(world: World) -> None:
    other = World(world.database, world.context, brand="other")
    await world.account("mail", "ada")
    await other.account("mail", "bob")
    await other.apply(given.administrators("root", "bob"))

    batch = await world.tell(
        world.asks(given.grant("eve"), by="ada"),
        world.asks(given.grant("eve"), by="bob"),
        other.asks(given.grant("eve"), by="ada"),
        other.asks(given.grant("root"), by="bob"),
        other.asks(given.register("ada")),
    )

    outcomes = {id_: outcome.outcome for id_, outcome in batch.answers}
    assert [outcomes[id_] for id_ in sorted(outcomes, key=lambda one: one.id)] == [
        "applied",
        "refused",
        "refused",
        "applied",
        "applied",
    ]
    assert await world.has() == {"ada": "owner", "eve": "user"}
    assert await other.has() == {"bob": "owner", "root": "user"}


async def test_a_list_says_something_of_its_own_brands_people_alone(world: World) -> None:
    await world.apply(given.register(given.member("olga", "administrator"), "pat"))
    async with world.database.writer.connect() as connection:
        people = [
            (brand, id_)
            for brand in (world.brand, TWIN, "other")
            for id_ in ("olga", "pat", "root", "bob", "dave")
        ]
        found = await load_listed(connection, people)

    assert found == {
        (world.brand, "olga"): "administrator",
        (world.brand, "pat"): "member",
        (world.brand, "root"): "absent",
        (world.brand, "bob"): "absent",
        (world.brand, "dave"): "absent",
        (TWIN, "olga"): "absent",
        (TWIN, "pat"): "absent",
        (TWIN, "root"): "administrator",
        (TWIN, "bob"): "member",
        (TWIN, "dave"): "absent",
    }
