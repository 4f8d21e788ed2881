"""What engines say while news of access is on its way to what it concerns is judged by it too."""

from asyncio import create_task
from dataclasses import replace

import pytest
from keyturn_contracts.workflow import HoldingChanged

from services.workflow.jobs.judging import judge
from services.workflow.jobs.marking import mark
from services.workflow.store.concern import load_concerns
from shared.messaging.batch import Message
from shared.messaging.envelope import News
from tests.workflow.given import (
    ADA,
    enablement_news,
    grant_news,
    member_news,
    policy_news,
    workflow,
)
from tests.workflow.test_access_news import allowed, given_binding
from tests.workflow.test_races import begin, until_waiting
from tests.workflow.world import World


async def test_a_binding_that_is_being_saved_when_its_owner_leaves_is_found(world: World) -> None:
    """Who marks accounts would not see it yet, and would leave it as it was."""
    engine = await world.engine()
    await world.account()
    await world.tell(member_news("ada"), member_news("root"))
    await world.close()
    async with world.database.writer.begin() as other:
        await begin(other, engine.save(workflow("w1", "a")))
        await world.tell(member_news("ada", sequence=2, is_removed=True))
        marking = create_task(world.mark())
        await until_waiting(world, marking)
    assert await marking > 0

    assert await allowed(world) == 0


NEWS_ABOUT_BOB: dict[str, tuple[list[Message], list[Message]]] = {
    "given": ([grant_news("bob")], [grant_news("bob", sequence=2, is_ended=True)]),
    "on the list": (
        [grant_news("bob"), member_news("bob")],
        [member_news("bob", sequence=2, is_removed=True)],
    ),
    "enabled": (
        [grant_news("bob"), enablement_news("bob"), enablement_news(sequence=2, is_ended=True)],
        [enablement_news("bob", sequence=2, is_ended=True)],
    ),
    "flagged": ([policy_news("flag")], [policy_news("suspend", sequence=2)]),
}


@pytest.mark.parametrize("what", NEWS_ABOUT_BOB)
@pytest.mark.parametrize("is_lost", [True, False])
async def test_what_is_deleted_between_news_and_its_judgement_leaves_nothing_behind(
    world: World, what: str, *, is_lost: bool
) -> None:
    """Deleted tasks were taken out by the news, and had been counted without it."""
    engine = await world.engine()
    if what == "enabled":
        await world.installation()
    await world.account()
    await world.tell(member_news(ADA) if what == "on the list" else grant_news("x"))
    await world.tell(enablement_news(ADA))
    had, lost = NEWS_ABOUT_BOB[what]
    await world.tell(*had)
    if not is_lost:
        await world.tell(*lost)
    await world.tell(engine.save(workflow("w1", "a"), workflow("w2", "a", "b", owner="bob")))
    await world.close()

    await world.tell(*(lost if is_lost else [again(one) for one in had]))
    await world.tell(engine.delete("w2"))
    left = await allowed(world)
    await world.tell(engine.delete("w1"))
    await world.close()

    holding = await world.holding()
    assert (left, holding.allowed_count, holding.suspended) == (1, 0, 0)
    assert not any(
        one.allowed and not one.bound
        for one in await world.events()
        if isinstance(one, HoldingChanged)
    )


def again(news: Message) -> Message:
    """Return the same news, newer than any."""
    assert isinstance(news, News)
    return replace(news, sequence=news.sequence + 10)


async def test_news_that_comes_while_accounts_are_marked_is_marked_once_more(world: World) -> None:
    await given_binding(world)
    await world.give("bob")
    async with world.database.writer.begin() as other:
        await mark(other, await load_concerns(other, 100))
        assert await judge(other, 100) == 1
        telling = create_task(world.take("bob"))
        await until_waiting(world, telling)
    await telling

    assert await allowed(world) == 0


async def test_news_that_comes_after_it_was_seen_is_not_forgotten_with_it(world: World) -> None:
    await given_binding(world)
    await world.give("bob")
    async with world.database.writer.connect() as connection:
        seen = await load_concerns(connection, 100)
    await world.take("bob")
    async with world.database.writer.begin() as connection:
        await mark(connection, seen)
        left = await load_concerns(connection, 100)

    assert [one.account_id for one in left] == ["mail"]
