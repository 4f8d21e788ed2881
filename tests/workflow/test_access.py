"""What an account's news suspends and resumes, whose keys are known, and what it all costs."""

from collections import Counter

from keyturn_contracts.message import CommandApplied, Verdict
from keyturn_contracts.workflow import (
    AccountBound,
    AccountUnbound,
    RetireEngine,
)
from sqlalchemy import event, select, update

from services.workflow.handlers import handlers
from services.workflow.store.engine import load_engine_keys
from services.workflow.tables import ConfirmationRow
from shared.messaging.batch import Message, apply_batch
from tests.workflow.given import GivenEngine, by_person, fetched, utc_now, workflow
from tests.workflow.world import World


async def test_an_accounts_news_resumes_and_suspends_what_uses_it(world: World) -> None:
    engine = await world.engine()
    await world.tell(engine.save(workflow("w1", "a"), workflow("w2", "a", owner="bob")))
    await world.account()
    await world.close()
    await world.account(state="needs_attention")
    await world.close()
    await world.account("mail", 2, state="deleted")
    await world.close()

    told_of = [
        (type(one), one.bound, one.allowed, one.reason)
        for one in await world.events()
        if isinstance(one, AccountBound | AccountUnbound)
    ]
    assert told_of == [
        (AccountUnbound, True, False, "account_unknown"),
        (AccountBound, True, True, None),
        (AccountUnbound, True, False, "account_deleted"),
    ]
    assert (await world.holding()).count == 2


async def test_bindings_of_a_deleted_account_go_quietly(world: World) -> None:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a")))
    await world.account("mail", 2, "e1", state="deleted")
    await world.tell(engine.delete("w1"))
    await world.close()

    holding = await world.holding()
    assert (holding.count, holding.allowed_count, holding.announced.is_bound) == (0, 0, False)


# Keys.


async def test_an_engines_keys_are_found_by_its_issuer_those_of_retired_ones_too(
    world: World,
) -> None:
    engine = await world.engine()
    stranger = GivenEngine("e1", brand="rival")

    async with world.database.writer.connect() as connection:
        keys = await load_engine_keys(connection, [("acme", "e1"), ("rival", "e1"), ("acme", "x")])

    assert set(keys) == {"acme/engines/e1"}
    assert set(keys["acme/engines/e1"]) == {engine.sig.thumbprint()}
    assert stranger.sig.thumbprint() not in keys["acme/engines/e1"]


# Cost.


async def test_the_number_of_statements_does_not_depend_on_the_number_of_commands(
    world: World,
) -> None:
    engines = [await world.engine(f"e{one}") for one in range(20)]
    await world.account()
    await world.tell(*(fetched(one.id) for one in engines))
    counted: list[int] = []
    for size in (1, 20):
        tasks = {f"{size}-{n}": ("a",) for n in range(size)}
        saved = [one.save(*(workflow(n, "a") for n in tasks)) for one in engines[-size:]]
        confirmed = [one.confirm(1, tasks) for one in engines[-size:]]
        deleted = [one.delete(*tasks) for one in engines[-size:]]
        counted.append(await statements_of(world, *saved, *confirmed, *deleted))

    assert counted[0] == counted[1]


async def statements_of(world: World, *messages: Message) -> int:
    counted = Counter[str]()

    def count(*_: object) -> None:
        counted["statements"] += 1

    event.listen(world.database.writer.sync_engine, "before_cursor_execute", count)
    async with world.database.writer.begin() as connection:
        batch = await apply_batch(connection, handlers, messages)
    event.remove(world.database.writer.sync_engine, "before_cursor_execute", count)
    assert [type(one) for _, one in batch.answers] == [CommandApplied] * len(messages)
    return counted["statements"]


async def test_a_verdict_names_no_more_than_a_hundred(world: World) -> None:
    engine = await world.engine()
    outcome = await world.answer(engine.save(*(workflow(f"w{one}", "a") for one in range(130))))

    assert isinstance(outcome, CommandApplied)
    assert (len(outcome.verdicts), outcome.not_applied) == (100, 130)
    assert isinstance(outcome.verdicts[0], Verdict)


async def test_an_account_that_cannot_be_closed_holds_up_no_other(world: World) -> None:
    engine = await world.engine()
    for account_id in ("a", "b"):
        await world.account(account_id)
        await world.tell(engine.save(workflow(account_id, "t", account_id=account_id)))
        await world.account(account_id, 2, "e1")
        confirm = engine.confirm(2, {account_id: ("t",)}, account_id=account_id, holds=False)
        await world.tell(confirm)
    spoil = update(ConfirmationRow).where(
        ConfirmationRow.brand_id == "acme", ConfirmationRow.account_id == "a"
    )
    async with world.database.writer.begin() as connection:
        kept = await connection.scalar(
            select(ConfirmationRow.confirmation).where(
                ConfirmationRow.brand_id == "acme", ConfirmationRow.account_id == "a"
            )
        )
        await connection.execute(spoil.values(confirmation="{}"))

    await world.close()

    assert [type(one).__name__ for one in await world.rollout_events()] == [
        "RolloutStarted",
        "RolloutCompleted",
    ]
    async with world.database.writer.begin() as connection:
        await connection.execute(spoil.values(confirmation=kept))
    await world.close()
    assert "RolloutCompleted" in [type(one).__name__ for one in await world.rollout_events()]


async def test_an_engine_registered_begun_and_retired_in_one_batch_is_retired(
    world: World,
) -> None:
    engine = GivenEngine(clock=utc_now)
    retire = by_person(RetireEngine(engine_id="e1", reason="A mistake."), at=utc_now())

    outcomes = await world.answers(engine.registered(), engine.begin(), retire)

    assert [type(one) for one in outcomes] == [CommandApplied] * 3
    assert await world.refusal(engine.save(workflow("w1", "a"))) == "engine_retired"
    assert [type(one).__name__ for one in await world.events()] == [
        "EngineRegistered",
        "EngineRetired",
    ]
