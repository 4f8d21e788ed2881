"""Manifests at a start of the catalog: announced once, whatever happens meanwhile."""

import asyncio
from pathlib import Path

import pytest
from keyturn_contracts.catalog import ExtensionPublished, Manifest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.catalog.jobs import MANIFESTS, publish_manifests, read_manifests
from services.catalog.rules.manifest import ManifestError
from services.catalog.tables import ExtensionRow
from shared.database.engines import create_engine
from tests.batches import Database, published

(RELAY,) = read_manifests(MANIFESTS)
CHAT = RELAY.model_copy(update={"slug": "chat", "name": "Chat"})


async def versions(engine: AsyncEngine) -> dict[str, int]:
    async with engine.connect() as connection:
        rows = await connection.execute(select(ExtensionRow.slug, ExtensionRow.version))
        return {slug: version for slug, version in rows}  # noqa: C416  a row is no pair to `dict`


def event_of(value: bytes) -> ExtensionPublished:
    return ExtensionPublished.model_validate_json(value)


async def test_the_first_start_announces_every_manifest_to_the_platform(database: Database) -> None:
    handled = await publish_manifests(database.writer, [RELAY, CHAT])

    chat, relay = await published(database.writer)
    assert handled == 2
    assert (relay.topic, relay.key) == ("keyturn.catalog.events", "platform/extensions/smtp-relay")
    assert (relay.type, relay.headers["ce_brand"]) == ("ExtensionPublished", "platform")
    assert event_of(relay.value) == ExtensionPublished(manifest=RELAY, version=1)
    assert event_of(chat.value).manifest == CHAT
    assert await versions(database.writer) == {"chat": 1, "smtp-relay": 1}


async def test_a_restart_announces_nothing(database: Database) -> None:
    await publish_manifests(database.writer, [RELAY])

    assert await publish_manifests(database.writer, [RELAY]) == 0

    assert len(await published(database.writer)) == 1


async def test_a_changed_manifest_is_announced_alone_as_the_next_version(
    database: Database,
) -> None:
    await publish_manifests(database.writer, [RELAY, CHAT])
    renamed = RELAY.model_copy(update={"name": "Mail"})

    assert await publish_manifests(database.writer, [renamed, CHAT]) == 1

    last = (await published(database.writer))[-1]
    assert event_of(last.value) == ExtensionPublished(manifest=renamed, version=2)
    assert last.sequence == 2
    assert await versions(database.writer) == {"chat": 1, "smtp-relay": 2}


async def test_an_extension_whose_file_is_gone_stays(database: Database) -> None:
    await publish_manifests(database.writer, [RELAY, CHAT])

    assert await publish_manifests(database.writer, [CHAT]) == 0

    assert await versions(database.writer) == {"chat": 1, "smtp-relay": 1}


async def test_processes_that_start_together_announce_once(database: Database) -> None:
    handled = await asyncio.gather(
        *(publish_manifests(database.writer, [RELAY, CHAT]) for _ in range(8))
    )

    assert sorted(handled) == [0] * 7 + [2]
    assert [one.sequence for one in await published(database.writer)] == [1, 1]


FAIL_AT_COMMIT = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN RAISE EXCEPTION ''the commit fails''; END';
CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON outbox DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION fail();
"""


async def test_a_start_that_fails_at_its_commit_has_published_nothing(database: Database) -> None:
    owner = create_engine(database.settings, "owner", connections=1)
    async with owner.begin() as connection:
        for statement in FAIL_AT_COMMIT.strip().split(";\n"):
            await connection.exec_driver_sql(statement)

    with pytest.raises(DBAPIError, match="the commit fails"):
        await publish_manifests(database.writer, [CHAT, RELAY])
    left = (await versions(database.writer), await published(database.writer))
    async with owner.begin() as connection:
        await connection.exec_driver_sql("DROP TRIGGER fail ON outbox")
    await owner.dispose()
    handled = await publish_manifests(database.writer, [CHAT, RELAY])

    assert left == ({}, [])
    assert handled == 2
    assert [one.sequence for one in await published(database.writer)] == [1, 1]


async def test_what_is_stored_is_the_manifest_that_travels(database: Database) -> None:
    await publish_manifests(database.writer, [RELAY])

    async with database.writer.connect() as connection:
        stored = await connection.scalar(select(ExtensionRow.manifest))
    assert Manifest.model_validate(stored) == RELAY


@pytest.mark.parametrize(
    ("name", "spoil", "sentence"),
    [
        ("mail.yaml", "", "mail.yaml: its slug is smtp-relay, so rename the file."),
        ("smtp-relay.yaml", "\nlicence: free\n", "smtp-relay.yaml: licence: a manifest has no"),
    ],
)
def test_one_bad_file_and_none_is_read(
    tmp_path: Path, name: str, spoil: str, sentence: str
) -> None:
    good = (MANIFESTS / "smtp-relay.yaml").read_text(encoding="utf-8")
    (tmp_path / name).write_text(good + spoil, encoding="utf-8")

    with pytest.raises(ManifestError, match=sentence):
        read_manifests(tmp_path)
