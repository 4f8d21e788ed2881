"""Extensions that are published, certified and retired by commands: kept, and told to everyone."""

from keyturn_contracts.catalog import (
    CertifyExtension,
    ExtensionCertified,
    ExtensionPublished,
    ExtensionRetired,
    PublishExtension,
    RetireExtension,
)
from keyturn_contracts.message import CommandApplied
from sqlalchemy import select

from services.catalog.tables import ExtensionRow
from tests.catalog.given import RELAY, by_operator, by_publisher, publication, third_party
from tests.catalog.world import World

CERTIFY = CertifyExtension(extension="parcels")
RETIRE = RetireExtension(extension="parcels", reason="Nobody maintains it.")


async def test_what_is_published_is_kept_and_told_to_the_platform(world: World) -> None:
    outcome = await world.applied(publication(RELAY))

    [(key, event)] = await world.announced()
    assert outcome.changed
    assert key == "platform/extensions/smtp-relay"
    assert isinstance(event, ExtensionPublished)
    assert (event.manifest, event.version, event.state) == (RELAY, 1, "published")
    assert event.published_at is not None
    assert await world.editions("smtp-relay") == [(1, RELAY, "root")]


async def test_every_version_is_kept_those_of_one_batch_too(world: World) -> None:
    second, third = third_party(name="Parcels 2"), third_party(name="Parcels 3")

    outcomes = await world.answers(
        by_publisher(third_party()), by_publisher(second), by_publisher(second), publication(third)
    )
    fourth = await world.applied(by_publisher(third_party()))

    assert [one.changed for one in outcomes if isinstance(one, CommandApplied)] == [
        True,
        True,
        False,
        True,
    ]
    assert fourth.changed
    assert await world.editions("parcels") == [
        (1, third_party(), "publishers/parcels-inc"),
        (2, second, "publishers/parcels-inc"),
        (3, third, "root"),
        (4, third_party(), "publishers/parcels-inc"),
    ]
    assert [one.version for one in await world.extension_events()] == [1, 2, 3, 4]


async def test_two_who_want_a_new_slug_at_once_do_not_both_get_it(world: World) -> None:
    theirs = third_party(publisher="others-inc", by="Others Inc.")

    first, second = await world.answers(
        by_publisher(third_party()), by_publisher(theirs, publisher="others-inc")
    )

    assert first.outcome == "applied"
    assert getattr(second, "reason", None) == "slug_taken"
    assert len(await world.editions("parcels")) == 1


async def test_a_preview_is_certified_for_good(world: World) -> None:
    await world.given(third_party())

    await world.applied(by_operator(CERTIFY))
    again = await world.applied(by_operator(CERTIFY))
    await world.applied(by_publisher(third_party(name="Parcels 2")))

    certified, published = await world.extension_events()
    assert isinstance(certified, ExtensionCertified)
    assert isinstance(published, ExtensionPublished)
    assert (certified.manifest.preview, certified.version) == (False, 1)
    assert (published.manifest.preview, published.version) == (False, 2)
    assert not again.changed


async def test_what_is_retired_stays_so_until_an_operator_publishes_it(world: World) -> None:
    await world.given(third_party())

    await world.applied(by_operator(RETIRE))
    again = await world.applied(by_operator(RETIRE))
    await world.applied(by_publisher(third_party(name="Parcels 2")))
    await world.applied(publication(third_party(name="Parcels 2")))

    retired, mended, back = await world.extension_events()
    assert isinstance(retired, ExtensionRetired)
    assert not again.changed
    assert [(one.version, one.state) for one in (retired, mended, back)] == [
        (1, "retired"),
        (2, "retired"),
        (2, "published"),
    ]


async def test_a_refusal_changes_and_announces_nothing(world: World) -> None:
    await world.given(third_party())

    reasons = [
        (await world.refused(one)).reason
        for one in (
            by_publisher(third_party("smtp-relay"), publisher="others-inc"),
            by_publisher(RELAY, publisher="keyturn"),
            publication(third_party(schemes=())),
            publication(third_party(publisher="others-inc", by="Others Inc.")),
            by_operator(PublishExtension(manifest=RELAY), brand="acme"),
            by_operator(CERTIFY, brand="acme"),
            by_operator(CERTIFY, roles=["administrator"]),
            by_operator(CertifyExtension(extension="unheard-of")),
            by_operator(RETIRE, roles=["publisher"]),
            by_operator(RetireExtension(extension="unheard-of", reason="It bores.")),
        )
    ]

    assert reasons == [
        "not_the_publisher",
        "not_the_publisher",
        "manifest_invalid",
        "slug_taken",
        "not_the_publisher",
        "not_an_operator",
        "not_an_operator",
        "extension_unknown",
        "not_an_operator",
        "extension_unknown",
    ]
    assert await world.announced() == []
    assert await world.versions() == {"parcels": 1}


async def test_revisions_rise_with_every_change_and_with_nothing_else(world: World) -> None:
    async def revisions() -> dict[str, int]:
        async with world.database.writer.connect() as connection:
            rows = await connection.execute(select(ExtensionRow.slug, ExtensionRow.revision))
            return {row.slug: row.revision for row in rows}

    await world.given(third_party())
    await world.given(RELAY)
    before = await revisions()
    await world.applied(publication(RELAY))
    same = await revisions()
    await world.applied(by_operator(CERTIFY))
    after = await revisions()

    assert before["parcels"] < before["smtp-relay"]
    assert same == before
    assert after["parcels"] > after["smtp-relay"] == before["smtp-relay"]
