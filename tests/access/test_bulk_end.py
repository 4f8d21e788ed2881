"""A hundred thousand grants end, a thousand at a time: none survives, each is told once."""

from services.access.jobs.ending import end_access
from tests.access import given
from tests.access.world import World

GRANTS = 100_000


async def test_of_a_hundred_thousand_grants_none_survives_a_deletion(world: World) -> None:
    await world.account("mail", "ada")
    await world.change(
        "INSERT INTO access_grant (brand_id, account_id, member, level, state, how, by, since)"
        " SELECT :brand, 'mail', 'member-' || one, 'user', 'granted', 'granted', 'ada', now()"
        " FROM generate_series(1, :count) AS one",
        count=GRANTS,
    )
    await world.hear(given.account_deleted())

    while await end_access(world.database.writer, 5000):
        pass

    assert await world.rows(
        "SELECT state, why_ended, count(*) FROM access_grant WHERE brand_id = :brand"
        " GROUP BY state, why_ended"
    ) == [("ended", "account_deleted", GRANTS + 1)]
    assert await world.rows(
        "SELECT count(*), max(sequence) FROM latest WHERE brand_id = :brand AND kind = 'grants'"
    ) == [(GRANTS + 1, 1)]
    assert await world.rows(
        "SELECT count(*), count(DISTINCT key) FROM outbox WHERE key LIKE :key",
        key="acme/grants/mail/%",
    ) == [(GRANTS + 1, GRANTS + 1)]
