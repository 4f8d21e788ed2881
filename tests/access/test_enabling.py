"""Enabling a third party's extension on a real database."""

from tests.access import given
from tests.access.given import LOUD, RELAY
from tests.access.world import World, told


async def test_it_is_enabled_for_members_and_for_everyone(world: World) -> None:
    await world.apply(given.enable("ada", "bob"))
    await world.apply(given.enable())

    assert told(await world.events()) == [
        ("ExtensionEnabled", "loud-mail/ada", "enabled"),
        ("ExtensionEnabled", "loud-mail/bob", "enabled"),
        ("ExtensionEnabled", "loud-mail/*", "enabled"),
    ]


async def test_twice_is_harmless_and_says_so(world: World) -> None:
    await world.apply(given.enable("ada"))
    await world.apply(given.enable())
    await world.events()

    named = await world.apply(given.enable("ada"))
    everyone = await world.apply(given.enable())

    assert (named.changed, named.not_applied) == (False, 1)
    assert (everyone.changed, everyone.note) == (False, "It is enabled for everyone already.")
    assert await world.events() == []


async def test_disabling_it_for_all_leaves_who_was_named(world: World) -> None:
    await world.apply(given.enable("ada"))
    await world.apply(given.enable())
    await world.events()

    await world.apply(given.disable())
    again = await world.apply(given.disable())
    await world.apply(given.disable("ada", "bob"))

    assert not again.changed
    assert told(await world.events()) == [
        ("ExtensionDisabled", "loud-mail/*", "revoked"),
        ("ExtensionDisabled", "loud-mail/ada", "revoked"),
    ]


async def test_only_administrators_decide_and_only_of_who_is_on_the_list(world: World) -> None:
    await world.apply(given.register(given.member("root", "administrator"), "ada"))

    assert (await world.refusal(given.enable("ada"), by="ada")).reason == "not_an_administrator"
    assert (await world.refusal(given.disable("ada"), by="ada")).reason == "not_an_administrator"
    assert (await world.refusal(given.enable("eve"))).reason == "members_refused"
    mixed = await world.apply(given.enable("eve", "ada"))
    assert [(one.subject, one.reason) for one in mixed.verdicts] == [("eve", "member_unknown")]


async def test_a_first_partys_comes_with_the_licence(world: World) -> None:
    enabled = await world.apply(given.enable("ada", extension=RELAY))

    assert not enabled.changed
    assert enabled.note == "smtp-relay is enabled for every member, by the licence."
    assert (await world.refusal(given.disable(extension=RELAY))).reason == "first_party"


async def test_what_is_not_installed_or_licensed_is_waited_for(world: World) -> None:
    await world.waits(given.enable(extension="news-mail"))
    await world.hear(given.installation(LOUD, state="suspended"))
    await world.waits(given.enable())


async def test_of_what_is_suspended_it_can_be_ended(world: World) -> None:
    await world.apply(given.enable("ada"))
    await world.hear(given.installation(LOUD, state="suspended"))

    assert (await world.apply(given.disable("ada"))).changed


async def test_while_it_is_uninstalled_nothing_is_enabled(world: World) -> None:
    await world.hear(given.installation(LOUD, state="uninstalling", uninstall_id="u1"))

    await world.waits(given.enable("ada"))
    await world.waits(given.disable("ada"))


async def test_it_is_on_record(world: World) -> None:
    await world.apply(given.enable("ada"))
    await world.apply(given.disable("ada"))

    assert await world.rows(
        "SELECT actor, action, subject, members FROM audit WHERE brand_id = :brand ORDER BY at"
    ) == [
        ("root", "EnableExtension", "enablements/loud-mail", {"ada": "enabled"}),
        ("root", "DisableExtension", "enablements/loud-mail", {"ada": "disabled"}),
    ]
