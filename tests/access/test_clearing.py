"""The access service's part of an uninstallation: everything ends, is counted, and stays so."""

import asyncio

from keyturn_contracts.access import ExtensionCleared

from services.access.handlers import handlers
from services.access.jobs.clearing import clear, clear_uninstalled, conclude
from shared.messaging.batch import apply_batch
from tests.access import given
from tests.access.given import LOUD, STRICT
from tests.access.world import World, told
from tests.batches import published
from tests.waiting import eventually


async def in_use(world: World) -> None:
    """Have two accounts with three grants each, and enablements; and another extension's."""
    await world.account("mail", "ada")
    await world.account("news", "ada")
    await world.account("chat", "ada", extension=STRICT)
    for account in ("mail", "news", "chat"):
        await world.apply(given.grant("bob", account=account), by="ada")
        await world.apply(given.grant_all(account=account), by="ada")
    await world.apply(given.enable("ada", "bob"))
    await world.apply(given.enable())
    await world.apply(given.enable("ada", extension=STRICT))
    await world.events()


async def uninstall(world: World, uninstall_id: str = "u1") -> None:
    await world.hear(given.installation(LOUD, state="uninstalling", uninstall_id=uninstall_id))


async def cleared(world: World) -> list[tuple[str, int, int, bool]]:
    """Return what was told of uninstallations since this was last asked."""
    return [
        (one.uninstall_id, one.grants, one.enablements, one.done)
        for one in await world.events()
        if isinstance(one, ExtensionCleared)
    ]


async def test_nothing_is_given_while_an_extension_is_uninstalled(world: World) -> None:
    """Of the other extension it is, and so it is of this one once it is installed again."""
    await in_use(world)
    await uninstall(world)

    for command in (given.grant("carol"), given.grant_all(account="news")):
        assert (await world.refusal(command, by="ada")).reason == "uninstalling"
    await world.apply(given.grant("carol", account="chat"), by="ada")
    await world.apply(given.revoke("bob"), by="ada")
    await world.hear(given.installation(LOUD))
    await world.apply(given.grant("carol"), by="ada")


async def test_nobody_waits_for_the_creator_of_an_account_that_is_going(world: World) -> None:
    await uninstall(world)
    await world.hear(given.account("late"))
    await world.follow()

    refused = await world.refusal(given.grant("bob", account="late"), by="ada")
    assert refused.reason == "uninstalling"
    assert not (await world.apply(given.revoke("bob", account="late"), by="ada")).changed


async def test_everything_ends_once_and_is_counted(world: World) -> None:
    await in_use(world)
    await uninstall(world)
    await world.follow()

    events = await world.events()
    ended = [one for one in told(events) if one[0] != "ExtensionCleared"]
    assert sorted(ended) == sorted(
        [
            *(
                ("AccessRevoked", f"{account}/{member}", "uninstalled")
                for account in ("mail", "news")
                for member in ("*", "ada", "bob")
            ),
            *(
                ("ExtensionDisabled", f"{LOUD}/{member}", "uninstalled")
                for member in ("*", "ada", "bob")
            ),
        ]
    )
    told_of = [one for one in events if isinstance(one, ExtensionCleared)]
    assert [(one.grants, one.enablements, one.done) for one in told_of] == [
        (6, 3, False),
        (6, 3, True),
    ]
    assert {one.uninstall_id for one in told_of} == {"u1"}
    assert (await world.has(), await world.has("news")) == ({}, {})
    assert await world.has("chat") == {"ada": "owner", "bob": "user", "*": "user"}
    assert await world.rows(
        "SELECT extension, member FROM enablement WHERE brand_id = :brand AND state = 'enabled'"
    ) == [(STRICT, "ada")]


async def test_what_ended_says_which_uninstallation_began_it(world: World) -> None:
    await in_use(world)
    await uninstall(world)
    await world.follow()

    sent = await published(world.database.writer)
    assert {one.headers["ce_correlationid"] for one in sent} == {"u1"}


async def test_where_nothing_was_given_that_is_said_too(world: World) -> None:
    await uninstall(world)
    await world.follow()

    assert await cleared(world) == [("u1", 0, 0, True)]


async def test_what_others_say_of_it_later_changes_nothing(world: World) -> None:
    await in_use(world)
    await uninstall(world)
    await world.follow()
    await world.events()

    await uninstall(world)
    await world.hear(given.installation(LOUD, state="uninstalled", uninstall_id="u1"))
    await world.follow()

    assert await world.events() == []


async def test_accounts_that_the_vault_deletes_meanwhile_end_once(world: World) -> None:
    await in_use(world)
    await uninstall(world)
    await world.hear(given.account_deleted("mail"))
    await world.follow()
    await world.hear(given.account_deleted("news"))
    await world.follow()

    events = told(await world.events())
    ended = [one for one in events if one[0] == "AccessRevoked"]
    assert len(ended) == len(set(ended)) == 6
    assert {why for _, _, why in ended} == {"uninstalled"}
    assert (
        await world.rows(
            "SELECT id FROM account WHERE brand_id = :brand AND (is_to_end OR is_to_own)"
        )
        == []
    )


async def test_an_account_whose_news_comes_after_the_end_gets_no_owner(world: World) -> None:
    await uninstall(world)
    await world.follow()
    await world.events()

    await world.hear(given.account("late"))
    await world.follow()
    await world.hear(given.installation(LOUD, state="uninstalled", uninstall_id="u1"))
    await world.follow()

    assert await world.events() == []
    assert await world.has("late") == {}


async def test_installing_again_starts_afresh_and_the_next_one_counts_anew(world: World) -> None:
    await in_use(world)
    await uninstall(world)
    await world.follow()
    await world.events()

    await world.hear(given.installation(LOUD))
    await world.hear(given.account("again"))
    await world.follow()
    assert await world.has("again") == {"ada": "owner"}
    await world.events()

    await uninstall(world, "u2")
    await world.follow()
    assert await cleared(world) == [("u2", 1, 0, False), ("u2", 1, 0, True)]


async def test_what_is_given_after_all_before_it_is_done_ends_too(world: World) -> None:
    await world.apply(given.administrators("root"))
    await world.account("mail", "root")
    await uninstall(world)
    async with world.database.writer.begin() as connection:
        assert await clear(connection, 100) == 1
    await world.change(
        "UPDATE access_grant SET state = 'granted', why_ended = NULL WHERE brand_id = :brand"
    )
    async with world.database.writer.begin() as connection:
        assert await conclude(connection, 100) == 0

    await world.follow()

    assert await cleared(world) == [("u1", 1, 0, False), ("u1", 2, 0, False), ("u1", 2, 0, True)]


async def test_more_than_fit_into_a_transaction_take_several_and_tell_how_far(
    world: World,
) -> None:
    await in_use(world)
    await uninstall(world)

    passes = [await clear_uninstalled(world.database.writer, 4) for _ in range(4)]

    assert (sum(passes), passes[-1]) == (6 + 3 + 1, 0)
    told_of = await cleared(world)
    assert [one[1] for one in told_of] == sorted(one[1] for one in told_of)
    assert told_of[-1] == ("u1", 6, 3, True)
    assert [done for *_, done in told_of].count(True) == 1


async def test_two_processes_count_nothing_twice(world: World) -> None:
    await in_use(world)
    await uninstall(world)

    async with world.database.writer.begin() as first:
        assert await clear(first, 100) == 9
        async with world.database.writer.begin() as second:
            assert await clear(second, 100) == 0
    await world.follow()

    assert (await cleared(world))[-1] == ("u1", 6, 3, True)


async def test_it_is_not_done_before_who_was_giving_something_has_committed(
    world: World,
) -> None:
    """They decided by older news, and what they give is not visible yet."""
    await world.account("mail", "ada")
    async with world.database.writer.begin() as consumer:
        await apply_batch(consumer, handlers, [world.asks(given.grant("bob"), by="ada")])
        await uninstall(world)
        concluding = asyncio.create_task(clear_uninstalled(world.database.writer, 100))
        assert await eventually(world.has_a_waiter)
    await concluding
    await world.follow()

    assert await world.has() == {}
    assert (await cleared(world))[-1] == ("u1", 2, 0, True)
