"""What is on record of one account is found without reading what is on record of all others."""

from sqlalchemy import text

from services.access.queries.history import load_history
from tests.access import given
from tests.access.world import World


async def test_the_newest_of_one_account_come_first_and_by_its_index(world: World) -> None:
    await world.account("mail", "root")
    await world.account("chat", "root")
    for member in ("ada", "bob", "carol"):
        await world.apply(given.grant(member))
        await world.apply(given.grant(member, account="chat"))

    async with world.database.writer.connect() as connection:
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = await connection.scalars(
            text(
                "EXPLAIN SELECT id FROM audit WHERE brand_id = 'acme'"
                " AND subject = 'grants/mail' ORDER BY id DESC LIMIT 20"
            )
        )
        assert "audit_subject_idx" in "\n".join(plan)
        found = await load_history(connection, "acme", "grants/mail", after="", limit=2)
        rest = await load_history(connection, "acme", "grants/mail", after=found[-1].id, limit=2)
    assert [[*one.members] for one in (*found, *rest)] == [["carol"], ["bob"], ["ada"]]
