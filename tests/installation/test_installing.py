"""Commands on a real database: each message delivered twice, and once to a process that dies."""

import pytest
from keyturn_contracts.catalog import LicenceChanged
from keyturn_contracts.domains import SUFFIX_LIST_VERSION
from keyturn_contracts.ids import PLATFORM
from keyturn_contracts.installation import InstallExtension, ReviewChanged
from keyturn_contracts.message import CommandApplied, CommandRefused

from shared.decisions import NotYetKnown
from shared.messaging.batch import Batch, Turn, apply_commands
from tests.installation import given
from tests.installation.given import LOUD, NEWS, NEWS_MAIL, RELAY, STRICT, WEB
from tests.installation.world import HANDLERS, World, told

PICTURES = "pictures.example.org"


async def test_an_extension_is_installed_as_it_was_shown(world: World) -> None:
    outcome = await world.apply(given.install())

    [event] = await world.events()
    assert told([event]) == [("ExtensionInstalled", LOUD, "installed")]
    assert [(one.type, one.subject) for one in outcome.events] == [
        ("keyturn.installation.ExtensionInstalled.v1", f"installations/{LOUD}")
    ]
    consents = await world.rows(
        "SELECT by, review->>'version', suffix_list FROM consent WHERE brand_id = :brand"
    )
    assert consents == [("root", "1", SUFFIX_LIST_VERSION)]
    assert event.consent is not None
    assert event.consent.digest == given.offer().digest


async def test_what_follows_the_command_finds_nothing_new(world: World) -> None:
    await world.apply(given.install())
    await world.events()

    await world.follow()

    assert await world.events() == []
    assert await world.rows("SELECT 1 FROM due WHERE brand_id = :brand") == []


async def test_many_commands_of_one_batch_see_each_others_effect(world: World) -> None:
    outcomes = await world.answers(
        world.asks(given.install()),
        world.asks(given.add(PICTURES, "com")),
        world.asks(given.add(PICTURES)),
        world.asks(given.remove(PICTURES)),
        world.asks(given.install(STRICT)),
        world.asks(given.add(PICTURES, slug=STRICT)),
        world.asks(given.uninstall(force=True)),
        world.asks(given.install()),
    )

    assert [getattr(one, "reason", getattr(one, "changed", None)) for one in outcomes] == [
        True,
        True,
        False,
        True,
        True,
        "domains_fixed",
        True,
        "uninstalling",
    ]
    assert told(await world.events()) == [
        ("ExtensionInstalled", LOUD, "installed"),
        ("DomainsChanged", LOUD, "installed"),
        ("DomainsChanged", LOUD, "installed"),
        ("ExtensionInstalled", STRICT, "installed"),
        ("UninstallStarted", LOUD, "uninstalling"),
    ]
    added = outcomes[1]
    assert isinstance(added, CommandApplied)
    assert [(one.subject, one.reason) for one in added.verdicts] == [
        ("domains/com", "public_suffix")
    ]


async def test_each_change_of_domains_is_on_record(world: World) -> None:
    await world.apply(given.install())
    await world.apply(given.add(PICTURES, "*.example.net"))
    await world.apply(given.remove(PICTURES))

    changes = await world.rows(
        "SELECT rule, what, by, reason, revision, suffix_list FROM domain_change"
        " WHERE brand_id = :brand"
        " ORDER BY id"
    )
    assert changes == [
        (PICTURES, "added", "root", "Our pictures.", 2, SUFFIX_LIST_VERSION),
        ("*.example.net", "added", "root", "Our pictures.", 2, SUFFIX_LIST_VERSION),
        (PICTURES, "removed", "root", "They moved.", 3, SUFFIX_LIST_VERSION),
    ]


async def test_a_stale_review_is_refused_with_what_changed_since(world: World) -> None:
    """The catalog's news is about every brand: of an extension that the twin has no more."""
    await world.publish(given.manifest(NEWS, permissions=(), terms=given.PRIVACY), 2)

    refused = await world.refusal(given.install(NEWS))

    assert refused.reason == "review_stale"
    details = ReviewChanged.model_validate(refused.details)
    assert details.changes == (
        "Its terms of use changed: version 3, https://example.com/privacy",
        "It may no longer read contacts.",
    )
    outcome = await world.apply(given.install(NEWS, details.digest))
    assert outcome.changed


async def test_a_retired_extension_is_refused(world: World) -> None:
    await world.retire(NEWS_MAIL)

    assert (await world.refusal(given.install(NEWS))).reason == "extension_retired"


async def test_a_first_party_extension_is_there_already(world: World) -> None:
    assert (await world.refusal(given.install(RELAY))).reason == "already_implicit"
    assert (await world.refusal(given.uninstall(RELAY, force=True))).reason == "implicit"


async def test_the_list_of_an_extension_without_domains_is_the_brands_own(world: World) -> None:
    outcome = await world.apply(given.add("api.example.net", slug=WEB))

    assert outcome.changed
    [event] = await world.events()
    assert (event.domains, event.declared) == (("api.example.net",), ())


async def test_a_command_waits_for_the_news_that_it_needs(world: World) -> None:
    await world.licence(LOUD)
    command = world.asks(given.install(NEWS))

    batch = await world.tell(command)
    [held] = batch.held
    assert isinstance(held.cause, NotYetKnown)

    licence = world.news(LicenceChanged(extensions=(LOUD, NEWS)))
    [outcome] = await world.answers(licence, command)
    assert isinstance(outcome, CommandApplied)


@pytest.mark.parametrize(
    ("slug", "reason"), [(NEWS, "not_licensed"), ("nobody-knows", "extension_unknown")]
)
async def test_a_command_whose_news_never_comes_is_refused(
    world: World, slug: str, reason: str
) -> None:
    await world.licence(LOUD)
    command = InstallExtension(extension=slug, accepts="0" * 64)

    batch = Batch()
    async with world.database.writer.begin() as connection:
        turn = Turn(world.asks(command), has_waited=True)
        await apply_commands(connection, HANDLERS, [turn], batch)

    [(_, outcome)] = batch.answers
    assert isinstance(outcome, CommandRefused)
    assert outcome.reason == reason


async def test_news_that_comes_with_its_command_is_enough(world: World) -> None:
    feed = given.manifest("late-mail")
    await world.licence(LOUD, "late-mail")

    published = world.news(given.published(feed), brand=PLATFORM)
    accept = given.install("late-mail", given.offer(slug="late-mail").digest)
    [outcome] = await world.answers(published, world.asks(accept))

    assert isinstance(outcome, CommandApplied)
