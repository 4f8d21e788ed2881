"""The access service is killed with -9 at its worst moments: no grant is lost, doubled or left."""

import asyncio

import pytest
from keyturn_client import Backend
from keyturn_client.commands import Prepared
from keyturn_contracts.access import GrantAccess
from keyturn_contracts.credential_vault import DeleteAccount

from shared.database.engines import Session, connect_alone
from tests.client.world import OWNER, Brand, World, applied
from tests.faults.log import announced, once_each
from tests.faults.test_kills import (
    ACCOUNTS,
    IN_THE_MACHINERY,
    armed,
    killed_and_started_again,
    outcomes,
)
from tests.waiting import eventually

ROUNDS = 15
GRANTS = 100_000


async def flow(backend: Backend, killed: asyncio.Event) -> list[Prepared]:
    """Publish grants on all accounts in turn: so many, and on until the service is killed."""
    sent: list[Prepared] = []
    is_killed = asyncio.create_task(killed.wait())
    while len(sent) < ROUNDS * len(ACCOUNTS) or not is_killed.done():
        member = f"member-{len(sent) // len(ACCOUNTS)}"
        sent += [
            await backend.publish(GrantAccess(account_id=account, members=(member, "bob")))
            for account in ACCOUNTS
        ]
        # Not as fast as Kafka takes them: polls are what matters, and each has its outcome.
        await asyncio.wait([is_killed], timeout=0.05)
    return sent


@pytest.mark.parametrize("crash", IN_THE_MACHINERY)
async def test_grants_take_effect_once_though_access_is_killed(
    world: World, brand: Brand, crash: str
) -> None:
    for account in ACCOUNTS:
        await brand.add_account(account, f"{account} pass")
        applied(await brand.backend.ask(GrantAccess(account_id=account, members=("carol",))))
    await armed(world, "access", crash)

    killed = asyncio.Event()
    flowing = asyncio.create_task(flow(brand.backend, killed))
    await killed_and_started_again(world, "access", killed)
    sent = await flowing
    came = await outcomes(brand.backend, sent)
    for one in sent:
        await brand.backend.publish(one)
    applied(await brand.backend.ask(GrantAccess(account_id="mail", members=("last",))))
    again = await outcomes(brand.backend, sent)

    assert [applied(one).changed for one in came] == [True] * len(sent)
    assert again == came
    log = await announced(world, "access", brand.name)
    members = [OWNER, "bob", "carol", *(f"member-{one}" for one in range(len(sent) // 3))]
    expected = {f"{brand.name}/grants/{one}/{two}" for one in ACCOUNTS for two in members}
    assert log.keys() == expected | {f"{brand.name}/grants/mail/last"}
    for events in log.values():
        [granted] = once_each(events)
        assert granted.type == "AccessGranted"


@pytest.mark.parametrize("crash", ["access.before_own:1", "access.after_own:1"])
async def test_a_creator_becomes_an_owner_once_though_access_is_killed(
    world: World, brand: Brand, crash: str
) -> None:
    await armed(world, "access", crash)
    await brand.add_account("mail", "mail pass")
    await killed_and_started_again(world, "access", asyncio.Event())

    applied(await brand.backend.ask(GrantAccess(account_id="mail", members=("bob",))))

    log = await announced(world, "access", brand.name)
    [created] = once_each(log[f"{brand.name}/grants/mail/{OWNER}"])
    assert (created.type, created.content["how"]) == ("AccessGranted", "created")


async def test_of_a_hundred_thousand_grants_none_survives_though_access_is_killed_midway(
    world: World, brand: Brand
) -> None:
    await brand.add_account("mail", "mail pass")
    applied(await brand.backend.ask(GrantAccess(account_id="mail", members=("bob",))))
    database = world.stack.settings_of("access").database
    session = await connect_alone(database, "owner", name="test")
    try:
        await session.execute(_MANY, brand.name, GRANTS)
        await armed(world, "access", "access.before_end:50")
        applied(await brand.backend.ask(DeleteAccount(account_id="mail")))
        await killed_and_started_again(world, "access", asyncio.Event())

        assert await eventually(lambda: is_all_told(session, brand), within=120)
        # Two were given by commands, and ended by their second event.
        assert await session.fetch(_ENDED, brand.name) == [(GRANTS, 1), (2, 2)]
    finally:
        await session.close()


async def is_all_told(session: Session, brand: Brand) -> bool:
    """Tell whether nothing is left to end, and all of it is published."""
    return await session.fetchval(_LEFT, brand.name) == 0


_MANY = """
INSERT INTO access_grant (brand_id, account_id, member, level, state, how, by, since)
SELECT $1, 'mail', 'member-' || one, 'user', 'granted', 'granted', 'ada', now()
FROM generate_series(1, $2::integer) AS one
"""
_LEFT = """
SELECT (SELECT count(*) FROM access_grant WHERE brand_id = $1 AND state = 'granted')
     + (SELECT count(*) FROM account WHERE brand_id = $1 AND is_to_end)
     + (SELECT count(*) FROM outbox)
"""
_ENDED = """
SELECT count(*), sequence FROM latest
WHERE brand_id = $1 AND kind = 'grants' AND headers LIKE '%.AccessRevoked.%'
GROUP BY sequence ORDER BY sequence
"""
