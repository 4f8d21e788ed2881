"""Manifests at a start of the catalog: announced once, whatever happens meanwhile."""

import asyncio

import pytest
from keyturn_contracts.catalog import ExtensionPublished, RetireExtension
from sqlalchemy.exc import DBAPIError

from services.catalog.rules.manifest import ManifestError
from shared.database.engines import create_engine
from tests.batches import published
from tests.catalog.given import RELAY, by_operator, first_party, publication, third_party
from tests.catalog.world import World

CHAT = first_party("chat")
RENAMED = first_party("smtp-relay", "Mail")


async def test_the_first_start_announces_every_manifest_to_the_platform(world: World) -> None:
    assert await world.start(RELAY, CHAT) == 2

    told = dict(await world.announced())
    assert list(told) == ["platform/extensions/chat", "platform/extensions/smtp-relay"]
    relay = told["platform/extensions/smtp-relay"]
    assert isinstance(relay, ExtensionPublished)
    assert (relay.manifest, relay.version, relay.state) == (RELAY, 1, "published")
    assert await world.versions() == {"chat": 1, "smtp-relay": 1}
    assert await world.editions("smtp-relay") == [(1, RELAY, None)]


async def test_a_restart_announces_nothing(world: World) -> None:
    await world.start(RELAY)
    await world.announced()

    assert await world.start(RELAY) == 0

    assert await world.announced() == []


async def test_a_changed_manifest_is_announced_alone_as_the_next_version(world: World) -> None:
    await world.start(RELAY, CHAT)
    await world.announced()

    assert await world.start(RENAMED, CHAT) == 1

    [changed] = await world.extension_events()
    assert (changed.manifest, changed.version) == (RENAMED, 2)
    assert await world.editions("smtp-relay") == [(1, RELAY, None), (2, RENAMED, None)]


async def test_an_extension_whose_file_is_gone_stays(world: World) -> None:
    await world.start(RELAY, CHAT)

    assert await world.start(CHAT) == 0

    assert await world.versions() == {"chat": 1, "smtp-relay": 1}


async def test_what_an_operator_published_stays_until_the_file_changes(world: World) -> None:
    mended = first_party("smtp-relay", "Mail, mended")
    await world.start(RELAY)
    await world.given(mended)

    unchanged = await world.start(RELAY)
    changed = await world.start(RENAMED)

    assert (unchanged, changed) == (0, 1)
    assert [one.version for one in await world.extension_events()] == [3]


async def test_what_an_operator_retired_stays_so_at_every_start(world: World) -> None:
    await world.start(RELAY)
    await world.applied(by_operator(RetireExtension(extension="smtp-relay", reason="Not here.")))
    await world.announced()

    assert (await world.start(RELAY), await world.start(RENAMED)) == (0, 1)

    [changed] = await world.extension_events()
    assert (changed.version, changed.state) == (2, "retired")


async def test_a_preview_that_it_comes_with_is_one_until_it_is_certified(world: World) -> None:
    await world.start(third_party(), third_party("letters", preview=False))

    told = {one.manifest.slug: one.manifest.preview for one in await world.extension_events()}

    assert told == {"parcels": True, "letters": False}


async def test_a_start_takes_no_slug_from_who_published_it_first(world: World) -> None:
    await world.applied(publication(third_party("chat")))
    await world.announced()

    with pytest.raises(ManifestError, match="chat: another publisher published an extension"):
        await world.start(RELAY, CHAT)

    assert await world.announced() == []


async def test_processes_that_start_together_announce_once(world: World) -> None:
    handled = await asyncio.gather(*(world.start(RELAY, CHAT) for _ in range(8)))

    assert sorted(handled) == [0] * 7 + [2]
    assert [one.sequence for one in await published(world.database.writer)] == [1, 1]


FAIL_AT_COMMIT = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN RAISE EXCEPTION ''the commit fails''; END';
CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON outbox DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION fail();
"""


async def test_a_start_that_fails_at_its_commit_has_published_nothing(world: World) -> None:
    owner = create_engine(world.database.settings, "owner", connections=1)
    async with owner.begin() as connection:
        for statement in FAIL_AT_COMMIT.strip().split(";\n"):
            await connection.exec_driver_sql(statement)

    with pytest.raises(DBAPIError, match="the commit fails"):
        await world.start(CHAT, RELAY)
    left = (await world.versions(), await published(world.database.writer))
    async with owner.begin() as connection:
        await connection.exec_driver_sql("DROP TRIGGER fail ON outbox")
        await connection.exec_driver_sql("DROP FUNCTION fail")
    await owner.dispose()
    handled = await world.start(CHAT, RELAY)

    assert left == ({}, [])
    assert handled == 2
    assert [one.sequence for one in await published(world.database.writer)] == [1, 1]
