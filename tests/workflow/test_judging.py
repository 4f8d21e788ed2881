"""However many owners' workflows use an account, few are judged at a time, and all of them."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from services.workflow.jobs import judging
from services.workflow.jobs.judging import judge
from services.workflow.rules.usage import Usage
from services.workflow.store.account import key_of
from services.workflow.store.holding import HoldingKey
from services.workflow.store.judging import lock_to_judge
from services.workflow.store.usage import begin_pages, load_usage_page
from services.workflow.tables import HoldingRow
from tests.workflow.given import policy_news, workflow
from tests.workflow.world import World

OWNERS = [f"p{one}" for one in range(5)]


async def given_owners(world: World, *accounts: str) -> None:
    """Have five people use each account on one engine and two of them on another; judge that."""
    engines = [await world.engine(), await world.engine("e2")]
    for account_id in accounts:
        await world.account(account_id)
    for engine, owners in zip(engines, (OWNERS, OWNERS[3:]), strict=True):
        await world.tell(
            engine.save(
                *(
                    workflow(f"{account_id}-{owner}", "a", owner=owner, account_id=account_id)
                    for account_id in accounts
                    for owner in owners
                )
            )
        )
    await world.close()


async def test_accounts_wait_for_their_turn_where_very_many_owners_use_those_before(
    world: World,
) -> None:
    await given_owners(world, "a", "b", "c")
    await world.tell(policy_news("flag"))
    await world.mark()

    async with world.database.writer.begin() as connection:
        locked = [
            sorted(one.id for one in await lock_to_judge(connection, 100, pairs))
            for pairs in (1, 7, 8, 14, 15)
        ]
        passes = [await judge(connection, 100, 8) for _ in range(3)]

    assert locked == [["a"], ["a"], ["a", "b"], ["a", "b"], ["a", "b", "c"]]
    assert passes == [2, 1, 0]
    assert (await world.holding(account_id="c")).allowed_count == 5


@pytest.mark.parametrize("at_a_time", [1, 2, 3, 7])
async def test_an_account_that_very_many_use_is_judged_whole_a_few_at_a_time(
    world: World, at_a_time: int
) -> None:
    await given_owners(world, "mail", "chat")
    for one in ("p1", "p4"):
        await world.give(one)
    await world.mark()
    async with world.database.writer.begin() as connection:
        while await judge(connection, 100, at_a_time):
            pass
    found = [await world.holding(engine_id) for engine_id in ("e1", "e2")]
    await world.events()

    # Once more, and all at once.
    await world.give("p1")
    await world.close()

    assert [one.allowed_count for one in found] == [2, 1]
    assert [await world.holding(engine_id) for engine_id in ("e1", "e2")] == found
    assert await world.bindings() == []


async def test_an_account_that_fails_keeps_none_from_its_turn(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "PAIRS", 1)
    await given_owners(world, "a", "b")
    await world.tell(policy_news("flag"))
    # Its next number is more than the database can write.
    of_a = update(HoldingRow).where(HoldingRow.brand_id == "acme", HoldingRow.account_id == "a")
    async with world.database.writer.begin() as connection:
        await connection.execute(of_a.values(suspensions=2**63 - 1))

    judged = [await world.judge() for _ in range(2)]

    assert judged == [1, 0]
    assert (await world.holding(account_id="a")).allowed_count == 0
    assert (await world.holding(account_id="b")).allowed_count == 5


async def test_pages_name_every_owner_once_and_of_each_account_no_more_than_is_asked(
    world: World,
) -> None:
    await given_owners(world, "mail", "chat")
    read: dict[tuple[HoldingKey, str], Usage] = {}
    sizes: list[list[int]] = []

    async with world.database.writer.connect() as connection:
        places = begin_pages(key_of("acme", one) for one in ("mail", "chat", "none"))
        while places:
            found, places = await load_usage_page(connection, places, 3)
            sizes.append([len(by_owner) for _, by_owner in sorted(found.items())])
            for holding, by_owner in found.items():
                for owner, usage in by_owner.items():
                    assert (holding, owner) not in read
                    read[holding, owner] = replace(usage, changes=0)

    assert read.keys() == {
        (HoldingKey("acme", engine_id, account_id), owner)
        for account_id in ("mail", "chat")
        for engine_id, owners in (("e1", OWNERS), ("e2", OWNERS[3:]))
        for owner in owners
    }
    assert {one.count for one in read.values()} == {1}
    # Of each account three, three, and the one that is left.
    assert [sum(one) for one in sizes] == [6, 6, 2]
