"""The workflow service's database, with a twin brand in it that no test may change."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from keyturn_contracts.credential_vault import HolderRef
from keyturn_contracts.workflow import OverrideRollout
from sqlalchemy.ext.asyncio import AsyncConnection

from services.workflow.handlers import handlers
from services.workflow.jobs.clearing import clear
from services.workflow.jobs.closing import close
from services.workflow.jobs.counting import count
from services.workflow.jobs.following import follow
from services.workflow.jobs.judging import judge
from services.workflow.jobs.marking import mark
from services.workflow.store.concern import load_concerns
from services.workflow.tables import Base
from shared.messaging.batch import apply_batch
from tests.batches import Database, service_database
from tests.running_stack import RunningStack
from tests.workflow.given import (
    GivenEngine,
    account_event,
    account_news,
    by_person,
    enablement_news,
    fetched,
    grant_news,
    implicit_news,
    installation_news,
    licence_news,
    policy_news,
    utc_now,
    workflow,
)
from tests.workflow.world import PROOF_KEY, QUIET, World


async def fill(connection: AsyncConnection, brand: str) -> None:
    """Give a brand what the tests are about: engines, accounts, a failure, a rollout, a receipt."""
    first, second = (GivenEngine(one, brand=brand, clock=utc_now) for one in ("e1", "e2"))
    holders = (HolderRef(engine_id="e1"), HolderRef(engine_id="e2"))
    failed = [{"workflow_id": "w1", "reason": "No."}]
    tasks = {"w1": ("a",), "w2": ("a",)}
    await apply_batch(
        connection,
        handlers,
        [
            licence_news(brand=brand),
            implicit_news(brand=brand),
            installation_news(
                "uninstalling",
                sequence=1,
                brand=brand,
                uninstall_id="of-old",
                deleted=0,
                extension="pager",
            ),
            account_news(account_event(version=1), 1, brand=brand),
            account_news(account_event("chat", version=1), 1, brand=brand),
            grant_news(brand=brand),
            grant_news("*", "chat", brand=brand),
            enablement_news(brand=brand),
            policy_news("suspend", brand=brand),
            fetched(version=1, brand=brand),
            first.registered(),
            second.registered(),
            first.begin(),
            second.begin(),
            first.save(workflow("w1", "a"), workflow("w2", "a"), workflow("w3", "a")),
            first.save(workflow("w4", "a", account_id="none")),
            first.delete("w3"),
            first.confirm(1, tasks, failed=failed, failed_count=1),
            second.save(workflow("w1", "a")),
        ],
    )
    await apply_batch(
        connection,
        handlers,
        [account_news(account_event(version=2, holders=holders), 2, brand=brand)],
    )
    assert await follow(connection, 100) == 1
    await mark(connection, await load_concerns(connection, 100))
    assert await judge(connection, 100) == 2
    await close(connection, PROOF_KEY, QUIET, 100)
    override = OverrideRollout(rollout_id="mail.2", engines=("e2",), reason="Lost.")
    await apply_batch(connection, handlers, [by_person(override, brand=brand, at=utc_now())])
    await close(connection, PROOF_KEY, QUIET, 100)
    assert await judge(connection, 100) == 0
    assert await count(connection, timedelta(0), 100) == 2
    assert await clear(connection, 100) == 1


@pytest.fixture
async def database(stack: RunningStack) -> AsyncIterator[Database]:
    async with service_database(stack, "workflow", Base.metadata, fill) as database:
        yield database


@pytest.fixture
async def world(database: Database) -> World:
    world = World(database)
    await world.licence("smtp-relay")
    await world.tell(implicit_news(), enablement_news())
    await world.close()
    return world
