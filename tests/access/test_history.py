"""What is on record of one account is found without reading what is on record of all others."""

from typing import Any

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.access.queries.history import load_history
from tests.access import given
from tests.access.world import World


async def explained(connection: AsyncConnection) -> str:
    """Return how PostgreSQL finds what is on record of an account, by the query as it is sent."""

    def explain(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any
    ) -> tuple[str, Any]:
        return f"EXPLAIN {statement}", parameters

    engine = connection.sync_connection
    assert engine is not None
    event.listen(engine, "before_cursor_execute", explain, retval=True)
    try:
        return "\n".join(
            row[0]
            for row in await load_history(connection, "acme", "grants/mail", after="z", limit=2)
        )
    finally:
        event.remove(engine, "before_cursor_execute", explain)


async def test_the_newest_of_one_account_come_first_and_by_its_index(world: World) -> None:
    await world.account("mail", "root")
    await world.account("chat", "root")
    for member in ("ada", "bob", "carol"):
        await world.apply(given.grant(member))
        await world.apply(given.grant(member, account="chat"))

    async with world.database.writer.connect() as connection:
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = await explained(connection)
        found = await load_history(connection, "acme", "grants/mail", after="", limit=2)
        rest = await load_history(connection, "acme", "grants/mail", after=found[-1].id, limit=2)

    assert "Index Scan Backward using audit_subject_idx" in plan
    assert "subject = " in plan.partition("Index Cond:")[2]
    assert "Sort" not in plan
    assert [[*one.members] for one in (*found, *rest)] == [["carol"], ["bob"], ["ada"]]
