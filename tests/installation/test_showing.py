"""Whoever reads a review or an impact over HTTP sees all that its digest or revision covers."""

import json
from hashlib import sha256
from typing import Any

from keyturn_contracts.catalog import FieldSpec

from tests.installation import given
from tests.installation.given import LOUD, NEWS, domain
from tests.installation.http import Client
from tests.installation.world import World

LABEL = "[a-z0-9-]+"
DOMAINS = (
    domain("bücher.example.com"),
    domain("*.amazonaws.com", wide_because="Each region has a bucket."),
    domain("{host}:{port}", slots={"host": ".+", "port": given.PORT}),
    domain("{server}", slots={"server": r"[a-z0-9-]+\.example\.org"}),
    domain("{tenant}.example.com", slots={"tenant": LABEL}),
    domain("*.com", wide_because="It is simpler."),
)
SETTINGS = (
    FieldSpec(name="host", title="Host"),
    FieldSpec(name="port", title="Port", required=False, default="587"),
    FieldSpec(name="tenant", title="Tenant", required=False, default="shared"),
    FieldSpec(name="region", title="Region", required=False, default="eu"),
)
DERIVED = (given.derived("server", "{instance}.example.org", "{region}.example.org"),)


async def test_a_review_shows_of_each_domain_all_that_decides_what_it_reaches(
    world: World, client: Client
) -> None:
    manifest = given.manifest(NEWS, domains=DOMAINS, settings=SETTINGS, derived=DERIVED)
    await world.publish(manifest, 2)

    shown = (await client.shown(f"installations/{NEWS}/review"))["review"]["domains"]

    empty: dict[str, Any] = {"slots": {}, "derived": {}, "defaults": {}}
    assert shown[:2] == [
        empty
        | {
            "rule": "xn--bcher-kva.example.com",
            "shown": "bücher.example.com (xn--bcher-kva.example.com)",
            "purpose": "Why bücher.example.com.",
        },
        empty
        | {
            "rule": "*.amazonaws.com",
            "shown": "*.amazonaws.com",
            "purpose": "Why *.amazonaws.com.",
            "wide": "the hosts of several owners, as its publisher says",
            "wide_because": "Each region has a bucket.",
        },
    ]
    assert [
        (one["slots"], one["derived"], one["defaults"], one.get("wide")) for one in shown[2:5]
    ] == [
        (
            {"host": ".+", "port": given.PORT},
            {},
            {"port": "587"},
            "any host that an account's settings name",
        ),
        (
            {"server": r"[a-z0-9-]+\.example\.org"},
            {"server": ["{instance}.example.org", "{region}.example.org"]},
            {"region": "eu"},
            None,
        ),
        ({"tenant": LABEL}, {}, {"tenant": "shared"}, None),
    ]
    assert "blocked_because" in shown[5]
    assert "wide" not in shown[5]


async def test_the_list_of_domains_shows_what_fills_them_too(world: World, client: Client) -> None:
    manifest = given.manifest(NEWS, domains=DOMAINS, settings=SETTINGS, derived=DERIVED)
    await world.publish(manifest, 2)
    review = await client.shown(f"installations/{NEWS}/review")
    await world.apply(given.install(NEWS, review["digest"]))

    shown = (await client.shown(f"installations/{NEWS}/domains"))["list"]

    names = ("rule", "shown", "slots", "derived", "defaults", "wide", "wide_because")
    assert [[one.get(name) for name in names] for one in shown] == [
        [one.get(name) or None for name in names] for one in review["review"]["domains"]
    ]


async def test_the_digests_of_an_impact_are_over_what_is_not_named(
    world: World, client: Client
) -> None:
    await world.apply(given.install())
    before = await client.shown(f"installations/{LOUD}/impact")
    await world.apply(given.add("pictures.example.org", "films.example.org"))
    await world.hear(*map(given.account, ("B", "a", "_", "a-1", "Z")))
    await world.hear(given.account("a").model_copy(update={"name": 'Ö "and" \\ 😂'}))

    shown = await client.shown(f"installations/{LOUD}/impact")

    assert "accounts_digest" not in before
    assert "added_digest" not in before
    rows = await world.rows(
        "SELECT id, name, creator FROM account WHERE brand_id = :brand AND extension = :slug",
        slug=LOUD,
    )
    lines = "".join(json.dumps([*row], ensure_ascii=False) + "\n" for row in sorted(rows))
    assert len(rows) == 5
    assert shown["accounts_digest"] == sha256(lines.encode()).hexdigest()
    added = b"films.example.org\npictures.example.org\n"
    assert shown["added_digest"] == sha256(added).hexdigest()
