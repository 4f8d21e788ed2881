"""What follows from the news of others, on a real database, whatever comes in which order."""

from itertools import permutations

from keyturn_contracts.catalog import LicenceChanged
from keyturn_contracts.ids import PLATFORM
from keyturn_contracts.installation import MAX_HOSTS
from sqlalchemy import text

from services.installation.jobs.following import follow_installations, spread_news
from shared.messaging.batch import apply_batch
from tests.batches import Database, news
from tests.installation import given
from tests.installation.given import (
    FEED,
    FEED_READER,
    LOUD,
    NEWS,
    NEWS_MAIL,
    RELAY,
    SERVER,
    STRICT,
    WEB,
    accept,
    domain,
    permission,
)
from tests.installation.world import HANDLERS, POLICY, World, told

WIDER = given.manifest(NEWS, permissions=(given.CONTACTS, permission("tickets")))


async def test_a_licence_brings_what_is_the_platforms_own(database: Database) -> None:
    world = World(database)

    await world.licence(RELAY, WEB, LOUD)

    assert told(await world.events()) == [
        ("ExtensionInstalled", RELAY, "installed"),
        ("ExtensionInstalled", WEB, "installed"),
    ]


async def test_a_licence_that_shrinks_suspends_and_one_that_grows_brings_back(
    world: World,
) -> None:
    await world.apply(given.install())
    await world.apply(given.add("pictures.example.org"))
    await world.hear(given.account("a1"))
    before = (await world.events())[-1]

    await world.licence(STRICT)
    suspended = await world.events()
    await world.licence(STRICT, LOUD, RELAY, WEB)
    back = await world.events()

    assert told(suspended) == [
        ("ExtensionSuspended", LOUD, "suspended"),
        ("ExtensionSuspended", RELAY, "suspended"),
        ("ExtensionSuspended", WEB, "suspended"),
    ]
    assert [one.domains for one in suspended] == [(), (), ()]
    assert told(back) == [
        ("ExtensionInstalled", LOUD, "installed"),
        ("ExtensionInstalled", RELAY, "installed"),
        ("ExtensionInstalled", WEB, "installed"),
    ]
    assert (back[0].domains, back[0].added) == (before.domains, before.added)
    assert back[0].consent == before.consent


async def test_an_extension_that_is_published_later_comes_to_those_who_are_licensed(
    world: World,
) -> None:
    await world.licence(LOUD, FEED)
    await world.events()

    await world.publish(FEED_READER)

    assert told(await world.events()) == [("ExtensionInstalled", FEED, "installed")]


async def test_the_order_of_news_does_not_matter(database: Database) -> None:
    """Catalog, licence and account in each order end in the same."""
    ends: list[tuple[object, ...]] = []
    for number, order in enumerate(permutations(range(3))):
        world = World(database, brand=f"brand-{number}")
        slug = f"feed-{number}"
        telling = [
            world.news(given.published(given.first_party(slug)), brand=PLATFORM),
            world.news(LicenceChanged(extensions=(slug,))),
            world.news(given.account("a1", slug)),
        ]
        for one in order:
            await world.tell(telling[one])
            await world.follow()
        events = [one for one in await world.events() if one.extension == slug]
        ends.append((events[-1].state, events[-1].domains, len(events) <= 2))

    assert ends == [("installed", ("smtp.example.net:587",), True)] * 6


async def test_older_news_that_comes_later_changes_nothing(world: World) -> None:
    await world.tell(news(LicenceChanged(extensions=(LOUD, RELAY)), 200))
    await world.follow()
    await world.events()

    await world.tell(news(LicenceChanged(extensions=()), 150), news(given.account("a1"), 9))
    await world.tell(news(given.account_deleted("a1"), 8))
    await world.follow()

    assert await world.events() == []
    assert await world.rows("SELECT is_deleted FROM account WHERE brand_id = :brand") == [(False,)]


async def test_news_of_a_new_epoch_wins(world: World) -> None:
    await world.tell(news(LicenceChanged(extensions=(LOUD,)), 1, epoch=2))
    await world.follow()

    suspended = [one.extension for one in await world.events() if one.state == "suspended"]
    assert suspended == [RELAY, WEB]


async def test_what_narrows_holds_at_once_and_what_widens_waits_for_its_consent(
    world: World,
) -> None:
    await world.install(NEWS_MAIL)
    await world.publish(given.manifest(NEWS, domains=(given.API,)), 2)
    [narrowed] = await world.events()
    assert (type(narrowed).__name__, narrowed.version) == ("ChangeAccepted", 2)

    await world.publish(WIDER, 3)
    [proposed] = await world.events()
    assert type(proposed).__name__ == "ChangeProposed"
    assert (proposed.version, proposed.permissions) == (2, ("contacts",))
    assert proposed.proposed is not None

    await world.apply(accept(proposed.proposed.digest, NEWS))
    [accepted] = await world.events()
    assert (accepted.version, accepted.permissions) == (3, ("contacts", "tickets"))
    assert accepted.proposed is None
    consents = await world.rows(
        "SELECT review->>'version' FROM consent WHERE brand_id = :brand ORDER BY at"
    )
    assert consents == [("1",), ("3",)]


async def test_each_brand_decides_for_itself(database: Database, world: World) -> None:
    other = World(database, brand="other")
    await other.licence(NEWS)
    await world.install(NEWS_MAIL)
    await other.install(NEWS_MAIL)

    await world.publish(WIDER, 2)
    events = {one.proposed.digest for one in await world.events() if one.proposed is not None}
    [digest] = events
    await world.apply(accept(digest, NEWS))

    rows = await world.rows(
        "SELECT brand_id, in_force->>'version' FROM installation"
        " WHERE extension = 'news-mail' AND brand_id <> 'twin'"
        " ORDER BY brand_id"
    )
    assert rows == [("acme", "2"), ("other", "1")]


async def test_a_newer_version_of_the_platforms_own_holds_at_once(world: World) -> None:
    await world.licence(FEED)
    await world.publish(FEED_READER)
    await world.events()

    await world.publish(given.first_party(FEED, domains=(domain("new.example.net"),)), 2)

    [event] = await world.events()
    assert (event.version, event.domains) == (2, ("new.example.net",))


async def test_nothing_follows_from_news_of_an_account_that_keeps_its_hosts(world: World) -> None:
    await world.hear(given.account("a1"))
    renamed = given.account("a1").model_copy(update={"name": "Another", "version": 2})
    elsewhere = given.account("a1", host="mail.example.net", port="443")
    due = "SELECT cause FROM due WHERE brand_id = :brand"

    await world.tell(world.news(renamed))
    assert await world.rows(due) == []
    assert await world.rows("SELECT name FROM account WHERE brand_id = :brand") == [("Another",)]

    await world.tell(world.news(elsewhere))
    assert await world.rows(due) == [("account",)]


async def test_accounts_bring_their_hosts_and_take_them_along(world: World) -> None:
    await world.apply(given.install())
    await world.events()

    await world.hear(given.account("a1"), given.account("a2", host="mail.example.net", port="443"))
    [come] = await world.events()
    await world.hear(given.account_deleted("a1"))
    [gone] = await world.events()

    assert come.domains == (
        "api.example.com",
        "mail.example.net",
        "smtp.example.net:587",
    )
    assert gone.domains == ("api.example.com", "mail.example.net")
    assert gone.domains_revision == come.domains_revision + 1


async def test_news_that_tells_nothing_new_announces_nothing(world: World) -> None:
    await world.apply(given.install())
    await world.hear(given.account("a1"))
    await world.events()

    await world.hear(given.account("a1"), LicenceChanged(extensions=(LOUD, RELAY, WEB)))

    assert await world.events() == []


async def test_hosts_beyond_the_most_are_blocked_and_counted(world: World) -> None:
    await world.apply(given.install())
    async with world.database.writer.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO account SELECT 'acme', 'a' || n, :slug, 'A', 'ada', false,"
                " jsonb_build_object('host', 'h' || n || '.example.net', 'port', '587'), 1, 1"
                " FROM generate_series(1, :many) AS n"
            ),
            {"slug": LOUD, "many": MAX_HOSTS + 5},
        )
    await world.events()

    await world.hear(given.account("a1", host="h1.example.net", port="587"))

    [event] = await world.events()
    assert (len(event.hosts), event.hosts_left_out) == (MAX_HOSTS, 5)
    assert len(event.domains) == MAX_HOSTS + 1


async def test_a_retired_extension_goes_on(world: World) -> None:
    await world.install(NEWS_MAIL)

    await world.retire(NEWS_MAIL)

    assert await world.events() == []


async def test_a_command_that_an_older_licence_let_pass_is_followed_when_it_commits(
    world: World,
) -> None:
    """The newer licence is spread before the installation can be seen: nothing else finds it."""
    async with world.database.writer.begin() as slow:
        await apply_batch(slow, HANDLERS, [world.asks(given.install())])
        await world.licence(RELAY, WEB)
    installed = told(await world.events())

    await world.follow()

    assert installed == [("ExtensionInstalled", LOUD, "installed")]
    assert told(await world.events()) == [("ExtensionSuspended", LOUD, "suspended")]


async def test_one_that_fails_is_left_for_later_and_no_other_waits(world: World) -> None:
    await world.apply(given.install())
    await world.follow()
    await world.events()
    async with world.database.writer.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO account VALUES"
                " ('acme', 'broken', :slug, 'A', 'ada', false, '[]', 1, 1)"
            ),
            {"slug": RELAY},
        )

    await world.hear(given.account("a1"), given.account("a2", RELAY))

    assert told(await world.events()) == [("DomainsChanged", LOUD, "installed")]
    assert await world.rows(
        "SELECT extension, cause, due_at > now() FROM due WHERE brand_id = :brand"
    ) == [(RELAY, "again", True)]


async def test_two_processes_never_look_at_the_same(world: World) -> None:
    await world.tell(world.news(given.account("a1", RELAY)))
    async with world.database.writer.begin() as first:
        taken = (
            await first.execute(text("SELECT 1 FROM due WHERE brand_id = 'acme' FOR UPDATE"))
        ).all()
        assert len(taken) == 1
        assert await follow_installations(world.database.writer, POLICY, 100) == 0

    assert await follow_installations(world.database.writer, POLICY, 100) == 1
    assert await spread_news(world.database.writer, 100) == 0


async def test_a_pass_takes_no_more_than_it_is_told_to(world: World) -> None:
    await world.apply(given.install())
    await world.apply(given.install(STRICT))

    looked_at = [await follow_installations(world.database.writer, POLICY, 1) for _ in range(3)]

    assert looked_at == [1, 1, 0]


async def test_an_uninstalled_extension_follows_nothing_any_more(world: World) -> None:
    await world.hear(given.account("a1", NEWS), given.engine("e1", (NEWS, 1, 1)))
    await world.publish(given.manifest(NEWS, domains=(SERVER,)), 2)

    assert await world.events() == []
