"""What access announces suspends and resumes, in any order, and each holding says so."""

from collections import Counter
from datetime import timedelta

import pytest
from keyturn_contracts.message import CommandApplied
from keyturn_contracts.workflow import HoldingChanged, NotAllowed
from sqlalchemy import event, update

from services.workflow.handlers import handlers
from services.workflow.jobs.marking import mark
from services.workflow.store.concern import load_concerns
from services.workflow.store.judging import lock_to_judge
from services.workflow.tables import GrantRow
from shared.messaging.batch import Message, apply_batch
from tests.workflow.given import (
    NOON,
    account_event,
    account_news,
    enablement_news,
    grant_news,
    member_news,
    policy_news,
    utc_now,
    workflow,
)
from tests.workflow.world import World

BOBS = workflow("w2", "a", owner="bob")


async def told(world: World) -> list[tuple[bool, NotAllowed | None, int]]:
    """Return what was announced of holdings: whether it is allowed, why not, and the number."""
    await world.close()
    return [
        (one.allowed, one.reason, one.suspensions)
        for one in await world.events()
        if isinstance(one, HoldingChanged)
    ]


async def given_binding(world: World, owner: str = "bob") -> None:
    """Have one task of this owner use `mail`, which is `ada`'s; forget what was announced."""
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a", owner=owner)))
    await told(world)


async def allowed(world: World) -> int:
    await world.close()
    return (await world.holding()).allowed_count


async def test_a_creator_has_no_access_before_the_news_of_their_grant(world: World) -> None:
    engine = await world.engine()
    await world.tell(world.news())

    outcome = await world.answer(engine.save(workflow("w1", "a")))
    before = await told(world)
    await world.give("ada")

    assert isinstance(outcome, CommandApplied)
    assert [(one.verdict, one.reason) for one in outcome.verdicts] == [("suspended", "no_access")]
    assert before == [(False, "no_access", 1)]
    assert await told(world) == [(True, None, 2)]


async def test_a_grant_resumes_and_its_end_suspends(world: World) -> None:
    await given_binding(world)

    await world.give("bob")
    given = await told(world)
    await world.take("bob")

    assert (given, await told(world)) == ([(True, None, 2)], [(False, "no_access", 3)])


async def test_who_keeps_access_by_everyones_grant_hears_nothing(world: World) -> None:
    await given_binding(world)
    await world.give("bob")
    await world.give("*")
    await told(world)

    await world.take("bob")
    kept = await told(world)
    await world.take("*")

    assert (kept, await told(world)) == ([], [(False, "no_access", 3)])


async def test_an_engine_hears_that_other_tasks_are_suspended_though_it_may_still_fetch(
    world: World,
) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a"), BOBS))
    first = await told(world)
    await world.give("bob")
    second = await told(world)
    await world.take("bob")

    assert (first, second) == ([(True, None, 1)], [(True, None, 2)])
    assert await told(world) == [(True, None, 3)]


async def test_a_task_more_of_somebody_without_access_is_told_and_one_with_access_is_not(
    world: World,
) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a"), BOBS))
    await told(world)

    await world.tell(engine.save(workflow("w3", "a")))
    quiet = await told(world)
    await world.tell(engine.save(workflow("w4", "a", owner="bob")))
    more = await told(world)
    await world.tell(engine.delete("w4", "w2"))

    assert (quiet, more) == ([], [(True, None, 2)])
    assert await told(world) == [(True, None, 3)]


async def test_a_list_of_members_shuts_out_who_is_not_on_it(world: World) -> None:
    await given_binding(world, owner="ada")
    await world.tell(member_news("root", role="administrator"))
    shut_out = await told(world)
    await world.tell(member_news("ada", sequence=1))
    let_in = await told(world)
    await world.tell(member_news("ada", sequence=2, is_removed=True))

    assert [one[0] for one in (*shut_out, *let_in, *await told(world))] == [False, True, False]


async def test_a_third_partys_extension_is_used_by_whom_it_is_enabled_for(world: World) -> None:
    await given_binding(world)
    await world.give("bob")
    await world.installation()
    assert await allowed(world) == 1, "It is enabled for everyone."

    await world.tell(enablement_news(sequence=2, is_ended=True))
    for_nobody = await allowed(world)
    await world.tell(enablement_news("bob"))
    for_bob = await allowed(world)
    await world.tell(enablement_news("bob", sequence=2, is_ended=True), enablement_news(sequence=3))

    assert (for_nobody, for_bob, await allowed(world)) == (0, 1, 1)


async def test_what_comes_with_the_licence_needs_no_enablement(world: World) -> None:
    await given_binding(world, owner="ada")
    await world.tell(enablement_news(sequence=2, is_ended=True))

    assert await told(world) == []
    assert await allowed(world) == 1


async def test_a_grant_that_has_run_out_is_none_whether_that_was_announced_or_not(
    world: World,
) -> None:
    await given_binding(world)
    await world.give("bob", until=utc_now() - timedelta(seconds=1))
    passed = await allowed(world)
    await world.give("bob", until=utc_now() + timedelta(hours=1))
    later = await allowed(world)
    await world.take("bob", why_ended="expired")

    assert (passed, later, await allowed(world)) == (0, 1, 0)


async def test_a_grant_that_runs_out_suspends_before_that_is_announced_and_once(
    world: World,
) -> None:
    await given_binding(world)
    await world.give("bob", until=utc_now() + timedelta(hours=1))
    given = await told(world)
    await pass_the_end(world)
    over = await told(world)
    again = await world.mark()
    await world.take("bob", why_ended="expired")
    announced = await told(world)
    await world.give("bob", until=utc_now() + timedelta(hours=1))
    await told(world)
    await pass_the_end(world)

    assert (given, over) == ([(True, None, 2)], [(False, "no_access", 3)])
    assert (again, announced) == (0, [])
    assert await told(world) == [(False, "no_access", 5)]


async def pass_the_end(world: World) -> None:
    """Have the end of every grant lie behind."""
    passed = update(GrantRow).where(GrantRow.brand_id == "acme", GrantRow.until.is_not(None))
    async with world.database.writer.begin() as connection:
        await connection.execute(passed.values(until=NOON))


async def test_older_news_changes_nothing(world: World) -> None:
    await given_binding(world)
    await world.tell(
        grant_news("bob", sequence=50),
        member_news("bob", sequence=50),
        enablement_news(sequence=50),
        policy_news("suspend", sequence=50),
    )
    before = await allowed(world)
    await world.tell(
        grant_news("bob", sequence=49, is_ended=True),
        member_news("bob", sequence=49, is_removed=True),
        enablement_news(sequence=49, is_ended=True),
        policy_news("flag", sequence=49),
    )

    assert (before, await allowed(world)) == (1, 1)


async def test_of_news_that_comes_together_the_newest_holds(world: World) -> None:
    await given_binding(world)
    await world.tell(
        grant_news("bob", sequence=3),
        grant_news("bob", sequence=2, is_ended=True),
        grant_news("bob", sequence=1),
    )

    assert await allowed(world) == 1


async def test_another_accounts_and_another_brands_news_judges_nothing(world: World) -> None:
    await given_binding(world)
    await world.account("chat")
    await world.close()
    await world.tell(
        grant_news("bob", brand="rival"),
        policy_news("flag", brand="rival"),
        member_news("bob", brand="rival"),
        grant_news("bob", "chat", sequence=5),
        member_news("bob"),
    )
    await told(world)
    await world.tell(
        enablement_news("stranger"),
        member_news("stranger"),
        enablement_news("bob", "another-extension"),
    )

    await world.mark()

    assert await world.judge() == 0


async def test_no_brand_waits_behind_the_thousands_of_another(world: World) -> None:
    brands = [("acme", "a"), ("acme", "b"), ("acme", "c"), ("zoo", "d")]
    for brand, one in brands:
        await world.tell(account_news(account_event(one), 1, brand=brand))
    await world.close()
    for brand, one in brands:
        await world.tell(grant_news("bob", one, brand=brand))

    async with world.database.writer.begin() as connection:
        seen = await load_concerns(connection, 2)
        await mark(connection, await load_concerns(connection, 100))
        judged = await lock_to_judge(connection, 2)

    expected = {("acme", "a"), ("zoo", "d")}
    assert {(one.brand, one.account_id) for one in seen} == expected
    assert {(one.brand, one.id) for one in judged} == expected


# Flagged.


async def test_a_brand_can_have_tasks_without_access_go_on(world: World) -> None:
    await given_binding(world)
    await world.tell(policy_news("flag"))
    flagged = await told(world)
    await world.tell(policy_news("suspend", sequence=2))

    assert flagged == [(True, None, 2)]
    assert await told(world) == [(False, "no_access", 3)]


async def test_what_holds_for_everybody_suspends_though_the_brand_flags(world: World) -> None:
    await given_binding(world)
    await world.tell(policy_news("flag"))
    await told(world)
    await world.licence("another")
    unlicensed = await told(world)
    await world.licence("smtp-relay")
    await told(world)
    await world.account("mail", 2, state="deleted")

    assert unlicensed == [(False, "not_licensed", 3)]
    assert await told(world) == [(False, "account_deleted", 5)]


async def test_who_saves_a_task_that_is_flagged_is_told_of_no_suspension(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(policy_news("flag"))

    outcome = await world.answer(engine.save(BOBS))

    assert isinstance(outcome, CommandApplied)
    assert outcome.verdicts == ()
    assert await allowed(world) == 1


# Cost.


@pytest.mark.parametrize("kind", ["grants", "members", "enablements"])
async def test_the_number_of_statements_does_not_depend_on_the_amount_of_news(
    world: World, kind: str
) -> None:
    engine = await world.engine()
    people = [f"p{one:03}" for one in range(40)]
    await world.account()
    await world.tell(engine.save(*(workflow(one, "a", owner=one) for one in people)))
    await world.close()
    counted: list[int] = []
    for n, some in enumerate((people[:1], people)):
        news: dict[str, list[Message]] = {
            "grants": [grant_news(one, sequence=n + 1) for one in some],
            "members": [member_news(one, sequence=n + 1) for one in some],
            "enablements": [enablement_news(one, sequence=n + 1) for one in some],
        }
        counted.append(await statements_of(world, *news[kind]))

    assert counted[0] == counted[1]


async def statements_of(world: World, *news: Message) -> int:
    """Count the statements that take the news, mark what it concerns, and judge that again."""
    counted = Counter[str]()

    def count(*_: object) -> None:
        counted["statements"] += 1

    event.listen(world.database.writer.sync_engine, "before_cursor_execute", count)
    async with world.database.writer.begin() as connection:
        await apply_batch(connection, handlers, news)
    await world.judge()
    event.remove(world.database.writer.sync_engine, "before_cursor_execute", count)
    return counted["statements"]
