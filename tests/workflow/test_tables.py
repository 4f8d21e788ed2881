"""The migrations make what the code expects, of what there is too."""

import shutil
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.workflow.tables import Base
from shared.database.engines import create_engine
from shared.database.migrate import (
    MESSAGING,
    Migrations,
    differences,
    migrate,
    migrations_of,
    upgrade,
)
from shared.messaging.tables import Base as MessagingBase
from shared.settings import DatabaseSettings
from tests.batches import Database
from tests.running_stack import RunningStack
from tests.workflow.given import ADA, account_event, account_news, grant_news
from tests.workflow.world import World

# One workflow of `ada` and one of `bob` use `mail`, of an extension that is a third party's; a task
# of `bob`'s has vanished.
_BEFORE = r"""
INSERT INTO licence VALUES ('acme', '{"smtp-relay": null}', 1, 1, false);
INSERT INTO installation (brand_id, extension, state, is_implicit, is_preview, epoch, sequence,
    is_to_follow) VALUES ('acme', 'smtp-relay', 'installed', true, false, 1, 1, false),
    ('acme', 'pager', 'installed', false, false, 1, 1, false);
INSERT INTO account (brand_id, id, epoch, sequence, extension, creator, state, version, holders,
    is_to_open, is_to_judge)
    VALUES ('acme', 'mail', 1, 1, 'smtp-relay', 'ada', 'connected', 1, '{}', false, false),
    ('acme', 'page', 1, 1, 'pager', 'ada', 'connected', 1, '{}', false, false);
INSERT INTO engine (brand_id, id, kind, state, epoch, number, count, digest, uses, registration)
    VALUES ('acme', 'e1', 'confirming', 'registered', 1, 2, 2, decode(repeat('00', 32), 'hex'),
    '{}', '{}');
INSERT INTO workflow VALUES ('acme', 'e1', 'w1', 'W1', 'ada'), ('acme', 'e1', 'w2', 'W2', 'bob');
INSERT INTO binding (brand_id, engine_id, workflow_id, account_id, task_id, named_epoch,
    named_number, is_vanished)
    VALUES ('acme', 'e1', 'w1', 'mail', 'a', 1, 2, false),
    ('acme', 'e1', 'w2', 'mail', 'a', 1, 2, false), ('acme', 'e1', 'w2', 'mail', 'b', 1, 2, true);
INSERT INTO holding VALUES ('acme', 'e1', 'mail', 2, decode(repeat('00', 32), 'hex'), 1, 1, false,
    1, true, 0, true, true, NULL)
"""

# That there is no access for `bob` was judged, and told of.
_JUDGED = r"""
INSERT INTO access_grant VALUES ('acme', 'mail', 'ada', 'user', 'granted', NULL, false, 1, 1);
UPDATE installation SET is_to_follow = false;
UPDATE licence SET is_to_follow = false;
UPDATE account SET is_to_judge = false, party = 'first', barred = NULL;
UPDATE holding SET allowed_count = 1, suspended = decode(repeat('07', 32), 'hex'),
    announced_suspended = decode(repeat('07', 32), 'hex'), suspensions = 1;
INSERT INTO account (brand_id, id, epoch, sequence, extension, state, version, holders, party,
    is_to_open, is_to_judge)
    VALUES ('acme', 'none', 0, -1, '', 'unknown', 0, '{}', 'third', false, false);
INSERT INTO usage VALUES ('acme', 'none', 'e1', 'ada', 1, 0)
"""


async def test_the_migrations_make_what_the_tables_say(stack: RunningStack) -> None:
    database = stack.new_database("workflow")
    await upgrade(database, "workflow")
    await upgrade(database, "workflow")

    engine: AsyncEngine = create_engine(database, "owner")
    async with engine.connect() as connection:
        assert await differences(connection, Base.metadata, MessagingBase.metadata) == []
    await engine.dispose()


async def test_what_was_on_record_before_access_was_asked_is_judged_by_it(
    stack: RunningStack, tmp_path: Path
) -> None:
    settings = stack.new_database("workflow")
    await migrate_to(settings, tmp_path, "0001_workflow.py", "0002_entitlements.py")
    await execute(settings, _BEFORE)

    await upgrade(settings, "workflow")
    writer = create_engine(settings, "writer")
    world = World(Database(settings, writer, create_engine(settings, "reader")))
    await world.close()
    before = await world.holding()
    await world.tell(grant_news(ADA), grant_news("bob"))
    await world.close()
    after = await world.holding()
    await world.tell(account_news(account_event("page", extension="pager"), 2))
    async with writer.connect() as connection:
        parties = (await connection.execute(text("SELECT id, party FROM account"))).all()
    await world.database.reader.dispose()
    await writer.dispose()

    assert (before.allowed_count, before.announced.reason, before.suspensions) == (
        0,
        "no_access",
        1,
    )
    assert (after.allowed_count, after.announced.is_allowed, after.suspensions) == (2, True, 2)
    assert sorted(tuple(one) for one in parties) == [("mail", "first"), ("page", "third")]


async def test_of_what_was_judged_before_reasons_were_kept_they_are_found_and_told_of(
    stack: RunningStack, tmp_path: Path
) -> None:
    """Until then nothing runs that must not."""
    settings = stack.new_database("workflow")
    before = ("0001_workflow.py", "0002_entitlements.py")
    await migrate_to(settings, tmp_path, *before)
    await execute(settings, _BEFORE)
    await migrate_to(settings, tmp_path, *before, "0003_access.py")
    await execute(settings, _JUDGED)

    await upgrade(settings, "workflow")
    writer = create_engine(settings, "writer")
    world = World(Database(settings, writer, create_engine(settings, "reader")))
    reasons: list[list[tuple[str, ...]]] = []
    for work in (None, world.close):
        if work is not None:
            await work()
        async with writer.connect() as connection:
            rows = await connection.execute(
                text("SELECT account_id, owner, reason FROM usage ORDER BY 1, 2")
            )
            reasons.append([tuple(one) for one in rows])
    holding = await world.holding()
    told = await world.bindings()
    await world.database.reader.dispose()
    await writer.dispose()

    unknown = ("none", "ada", "account_unknown")
    assert reasons == [
        [("mail", "ada", "no_access"), ("mail", "bob", "no_access"), unknown],
        [("mail", "ada", None), ("mail", "bob", "no_access"), unknown],
    ]
    assert (holding.allowed_count, holding.suspensions) == (1, 2)
    assert told == [("e1", True, None)]


async def migrate_to(settings: DatabaseSettings, folder: Path, *names: str) -> None:
    ours = migrations_of("workflow")
    for name in names:
        shutil.copy(ours.versions / name, folder)
    await migrate(settings, [MESSAGING, Migrations(folder, ours.version_table)])


async def execute(settings: DatabaseSettings, statements: str) -> None:
    owner = create_engine(settings, "owner")
    async with owner.begin() as connection:
        for statement in statements.split(";\n"):
            await connection.exec_driver_sql(statement)
    await owner.dispose()
