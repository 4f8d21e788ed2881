"""Remembered decisions are the database's, whatever becomes of Redis, of news and of processes."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from keyturn_contracts.message import CommandApplied

from services.access.handlers import handlers
from services.access.queries.facts import Wanted, load_facts
from services.access.remembering.reading import decide_one
from services.access.settings import AccessSettings
from services.access.store.changes import forget_changes
from shared.http.brand import connection_for
from shared.messaging.batch import apply_batch
from tests.access import given
from tests.access.given import LOUD, RELAY
from tests.access.remembering import OwnRedis, process, revision_of, use
from tests.access.world import World
from tests.batches import TWIN
from tests.waiting import eventually

ADA, BOB, EVE = use("ada"), use("bob"), use("eve")


async def test_what_is_remembered_is_asked_of_nobody(shared: World) -> None:
    async with process(shared, None) as one:
        first = await one.answer(ADA, BOB, EVE)
        one.asked.clear()

        again = await one.answer(EVE, BOB)

        assert one.asked == []
        assert {name: again.decisions[name] for name in (BOB, EVE)} == {
            name: first.decisions[name] for name in (BOB, EVE)
        }
        assert again.revision <= first.revision


async def test_a_revocation_is_seen_at_the_look_after_it(shared: World) -> None:
    async with process(shared, None) as one:
        assert await one.allows(BOB) == [True]
        await shared.apply(given.revoke("bob"), by="ada")

        await one.look()

        assert not one.remembers(BOB)
        assert await one.allows(BOB) == [False]


async def test_nothing_older_than_a_revision_that_somebody_was_told(shared: World) -> None:
    """No look has found the change: the process does not know of it."""
    async with process(shared, None) as one:
        assert await one.allows(BOB) == [True]
        revoked = await revision_of(shared, given.revoke("bob"), by="ada")
        assert await one.allows(BOB, at_least=revoked) == [False]
        granted = await revision_of(shared, given.grant("bob"), by="ada")
        assert await one.allows(BOB, at_least=granted) == [True]
        # Once it is known that nobody is still at work who had drawn its number, memory is as good.
        await one.look()
        await one.look()
        assert await one.allows(BOB, at_least=granted) == [True]
        assert one.remembers(BOB, at_least=granted)


async def test_a_number_that_was_drawn_before_a_look_and_committed_after_it_is_not_missed(
    shared: World,
) -> None:
    """The outbox has given the revocation's number when the looks are made; nothing shows it."""
    async with process(shared, None) as one:
        assert await one.allows(BOB) == [True]
        async with shared.database.writer.begin() as connection:
            asked = shared.asks(given.revoke("bob"), by="ada")
            [(_, outcome)] = (await apply_batch(connection, handlers, [asked])).answers
            for _ in range(3):
                await one.look()
                assert await one.allows(BOB) == [True]
        assert isinstance(outcome, CommandApplied)
        assert outcome.revision is not None

        assert not one.remembers(BOB, at_least=outcome.revision)
        assert await one.allows(BOB, at_least=outcome.revision) == [False]
        # What is remembered is still of before: without a revision it is answered until a look.
        await one.look()
        assert await one.allows(BOB) == [False]


async def test_facts_that_were_read_before_a_change_are_not_remembered_after_it(
    shared: World,
) -> None:
    async with process(shared, None) as one:
        memory = one.deciding.memory
        view = memory.view("acme")
        assert view is not None
        async with connection_for(shared.context, "acme") as connection:
            wanted = Wanted(accounts={("mail", "bob")})
            known = await load_facts(connection, "acme", wanted, view.seen)
        assert not known.has_changed
        await shared.apply(given.revoke("bob"), by="ada")
        await one.look()

        memory.add(view, {BOB: decide_one(known.facts, BOB, datetime.now(UTC))}, {})

        assert await one.allows(BOB) == [False]


async def test_facts_that_are_newer_than_what_is_remembered_are_not_mixed_with_it(
    shared: World,
) -> None:
    """No look has found the change when eve is asked about: reading finds it, and all is new."""
    async with process(shared, None) as one:
        assert await one.allows(BOB) == [True]
        await shared.apply(given.revoke("bob"), by="ada")
        await shared.apply(given.grant("eve"), by="ada")

        assert await one.allows(EVE) == [True]
        assert await one.allows(BOB, EVE) == [False, True]


async def test_news_of_others_lets_go_as_well(shared: World) -> None:
    async with process(shared, None) as one:
        for news, allowed in (
            (given.installation(RELAY, party="first", state="suspended"), False),
            (given.installation(RELAY, party="first"), True),
            (given.account_deleted("mail", RELAY), False),
        ):
            await one.allows(BOB)
            await shared.hear(news)
            await one.look()
            assert await one.allows(BOB) == [allowed]


async def test_what_the_list_says_of_who_asks_is_remembered_and_let_go(world: World) -> None:
    async with process(world, None) as one:
        assert (await one.answer(BOB)).caller.roles == {"administrator", "member"}
        await world.apply(given.administrators("root"))
        await world.apply(given.register("ada"))
        await one.look()
        for _ in range(2):
            assert (await one.answer(BOB, by="ada")).caller.roles == {"member"}
            assert (await one.answer(BOB, by="eve")).caller.roles == set()
        one.asked.clear()
        assert (await one.answer(BOB, by="ada")).caller.roles == {"member"}
        assert one.asked == []


async def test_a_grant_that_runs_out_does_so_in_memory_too(shared: World) -> None:
    """Nothing ends it, and nothing changes: only time passes."""
    async with process(shared, None) as one:
        until = datetime.now(UTC) + timedelta(seconds=2)
        await shared.apply(given.grant("bob", until=until), by="ada")
        await one.look()

        async def has_run_out() -> bool:
            answer = await one.answer(BOB)
            assert answer.decisions[BOB].allowed is (answer.at < until)
            return not answer.decisions[BOB].allowed

        await eventually(has_run_out)


async def test_other_brands_are_remembered_apart(shared: World, redis: OwnRedis) -> None:
    """The twin has the same account, members and grants, and a list."""
    async with process(shared, redis.client()) as one:
        here = await one.answer(BOB, ADA)
        assert not one.remembers(BOB, brand=TWIN)
        async with process(shared, redis.client()) as other:
            there = await other.answer(use("dave"), brand=TWIN)
            assert there.decisions[use("dave")].allowed is False
            assert not one.remembers(use("dave"))
        await shared.apply(given.revoke("bob"), by="ada")
        await one.look()
        assert here.decisions[BOB].allowed
        assert (await one.answer(BOB, brand=TWIN)).decisions[BOB].allowed
        assert await one.allows(BOB) == [False]
        names = await client_keys(redis)
        assert len(names) == len(set(names)) > 0
        assert all('["acme",' in one or '["twin",' in one for one in names)


async def client_keys(redis: OwnRedis) -> list[str]:
    client = redis.client()
    try:
        return [one.decode() for one in await cast("Any", client).keys("*")]
    finally:
        await client.aclose()


async def test_without_looks_everything_is_read(shared: World) -> None:
    settings = AccessSettings(decisions_kept=0)
    async with process(shared, None, settings) as one:
        await one.allows(BOB)
        one.asked.clear()
        await one.allows(BOB)
        assert one.asked


async def test_changes_are_noted_once_for_each_transaction_and_forgotten_later(
    shared: World,
) -> None:
    noted = "SELECT count(*), count(DISTINCT xid) FROM change WHERE brand_id = :brand"
    [(rows, transactions)] = await shared.rows(noted)
    assert rows == transactions > 0
    await shared.apply(given.grant("carol", "dave"), by="ada")
    assert await shared.rows(noted) == [(rows + 1, rows + 1)]
    await shared.apply(given.policy())

    async with shared.database.writer.begin() as connection:
        assert await forget_changes(connection) == 0
    await shared.change(
        "UPDATE change SET at = now() - interval '11 minutes' WHERE brand_id = :brand"
    )
    async with shared.database.writer.begin() as connection:
        assert await forget_changes(connection) > rows
    assert await shared.rows(noted) == [(0, 0)]


async def test_news_that_nobody_is_told_of_has_a_revision_too(shared: World) -> None:
    """Whoever saw it hands its revision back, and is not answered as before it."""
    last = "SELECT last_value FROM outbox_id_seq"
    [(before,)] = await shared.rows(last)
    await shared.events()
    await shared.hear(given.account("chat", LOUD))
    assert await shared.events() == []

    [(after,)] = await shared.rows(last)
    assert after > before
