"""What the catalog answers over HTTP: lists, searches and an extension's page."""

from typing import Any

import pytest
from keyturn_contracts.catalog import CertifyExtension, Manifest, RetireExtension

from tests.catalog.given import (
    RELAY,
    VENDOR,
    by_operator,
    first_party,
    installation,
    licence,
    publication,
    third_party,
)
from tests.catalog.http import Client
from tests.catalog.world import World

EXTENSIONS = "/v1/extensions"
NOT_LICENSED = (403, "not_allowed")
RETIRE = RetireExtension(extension="parcels", reason="Nobody maintains it.")


@pytest.fixture(autouse=True)
async def filled(world: World) -> None:
    """Publish four extensions, of which the brand has a licence for three."""
    await world.given(
        RELAY, third_party(), first_party("slack", category="chat"), first_party("secret-thing")
    )
    await world.answers(licence("smtp-relay", "parcels", "slack"))


async def test_a_list_shows_who_is_behind_what_and_whether_it_is_a_preview(client: Client) -> None:
    parcels, slack, relay = await client.items(EXTENSIONS)

    assert parcels == {
        "slug": "parcels",
        "name": "Parcels",
        "by_line": "By Parcels Inc.",
        "publisher": "parcels-inc",
        "party": "third",
        "category": "email",
        "description": RELAY.description,
        "label": "Preview",
        "version": 1,
        "state": "published",
        "installed": False,
    }
    assert (relay["by_line"], relay["party"], "label" in relay) == ("By Turnstile", "first", False)
    assert slack["slug"] == "slack"


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"search": "slakc"}, ["slack"]),
        ({"search": "TURNSTILE"}, ["slack", "smtp-relay"]),
        ({"search": "secret"}, []),
        ({"search": "   "}, ["parcels", "slack", "smtp-relay"]),
        ({"search": "'; DROP TABLE extension; --"}, []),
        ({"search": "%"}, []),
        ({"search": "\U0001f4e6\u202e"}, []),
        ({"party": "third"}, ["parcels"]),
        ({"preview": True}, ["parcels"]),
        ({"preview": False, "category": "email"}, ["smtp-relay"]),
        ({"category": "chat", "search": "slack"}, ["slack"]),
        ({"installed": True}, []),
        ({"installed": False, "limit": 1}, ["parcels", "slack", "smtp-relay"]),
    ],
)
async def test_a_list_is_narrowed_down(
    client: Client, parameters: dict[str, Any], expected: list[str]
) -> None:
    assert await client.slugs(**parameters) == expected


@pytest.mark.parametrize(
    "parameters",
    [
        {"search": "a\x00b"},
        {"search": "a" * 101},
        {"party": "second"},
        {"preview": "perhaps"},
        {"category": "Not a slug"},
        {"limit": 0},
        {"limit": 201},
        {"after": "nonsense"},
        {"after": "W10"},
        {"after": "WyItMSIsIiIsIiIsIiJd"},
        {"after": "WyI5OTk5OTk5OTk5OTk5OTk5IiwiIiwiIiwiIl0"},
        {"after": "x" * 2001},
    ],
)
@pytest.mark.parametrize("path", [EXTENSIONS, "/v1/steps"])
async def test_what_cannot_be_asked_is_refused_by_name(
    client: Client, path: str, parameters: dict[str, Any]
) -> None:
    if "preview" in parameters and path == "/v1/steps":
        return
    status, error, _ = await client.error(path, **parameters)

    assert (status, error) == (422, "invalid")


async def test_a_page_has_everything_on_it(client: Client, world: World) -> None:
    await world.given(third_party(name="Parcels 2"))

    page = await client.body(f"{EXTENSIONS}/parcels")

    published_at = [page["published_at"], *(one.pop("published_at") for one in page["versions"])]
    manifest = Manifest.model_validate(page.pop("manifest"))
    assert page == {
        "slug": "parcels",
        "by_line": "By Parcels Inc.",
        "label": "Preview",
        "state": "published",
        "installed": False,
        "support": {"side": "vendor", **VENDOR.model_dump(exclude_none=True)},
        "version": 2,
        "published_at": published_at[0],
        "versions": [{"version": 2}, {"version": 1}],
    }
    assert published_at[0] == published_at[1] > published_at[2]
    assert manifest == third_party(name="Parcels 2")


async def test_a_first_partys_page_has_the_platforms_support(client: Client) -> None:
    page = await client.body(f"{EXTENSIONS}/smtp-relay")

    assert page["support"] == {
        "side": "platform",
        "name": "Turnstile support",
        "email": "support@turnstile.example",
        "documentation": "https://keyturn.example/relay",
    }
    assert page["by_line"] == "By Turnstile"
    assert "label" not in page


async def test_a_certified_one_has_no_label_anywhere(client: Client, world: World) -> None:
    before = await client.slugs(preview=True)
    await world.applied(by_operator(CertifyExtension(extension="parcels")))

    page = await client.body(f"{EXTENSIONS}/parcels")

    assert (before, await client.slugs(preview=True)) == (["parcels"], [])
    assert "label" not in page
    assert page["manifest"]["preview"] is False


async def test_every_version_is_shown_as_it_was_published(client: Client, world: World) -> None:
    await world.given(third_party(name="Parcels 2"))
    path = f"{EXTENSIONS}/parcels/versions"

    first = await client.body(f"{path}/1")
    to_operator = await client.body(f"{path}/1", roles=("operator",))

    assert Manifest.model_validate(first["manifest"]) == third_party()
    assert "published_by" not in first
    assert to_operator["published_by"] == "root"
    assert (await client.error(f"{path}/3"))[:2] == (404, "not_found")
    assert (await client.error(f"{path}/0"))[:2] == (422, "invalid")


PAGES = ["", "/versions/1", "/steps", "/support?problem=vendor"]


@pytest.mark.parametrize("page", PAGES)
async def test_what_is_not_licensed_says_whom_to_ask_and_no_more(client: Client, page: str) -> None:
    status, error, message = await client.error(f"{EXTENSIONS}/secret-thing{page}")

    assert (status, error) == NOT_LICENSED
    assert message == "secret-thing is not in your licence; reach out to sales@turnstile.example."


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("roles", [("member",), ("operator",)])
async def test_an_unknown_extension_is_not_found(
    client: Client, page: str, roles: tuple[Any, ...]
) -> None:
    status, error, _ = await client.error(f"{EXTENSIONS}/unheard-of{page}", roles=roles)

    assert (status, error) == (404, "not_found")


async def test_a_brand_without_a_licence_has_nothing(client: Client) -> None:
    assert await client.slugs(brand="umbrella") == []
    assert (await client.error(f"{EXTENSIONS}/slack", brand="umbrella"))[:2] == NOT_LICENSED


async def test_the_twin_sees_what_is_its_own_licensed(client: Client) -> None:
    """Its licence covers two of what this brand's covers three of."""
    assert await client.slugs(brand="twin") == ["parcels", "smtp-relay"]
    assert await client.slugs(brand="twin", installed=True) == ["parcels", "smtp-relay"]


async def test_an_operator_sees_everything(client: Client) -> None:
    seen = await client.slugs(roles=("operator",), brand="umbrella")
    page = await client.body(f"{EXTENSIONS}/secret-thing", roles=("operator",), brand="umbrella")

    assert seen == ["parcels", "secret-thing", "slack", "smtp-relay"]
    assert page["slug"] == "secret-thing"


async def test_a_licence_that_shrinks_takes_effect_at_once(client: Client, world: World) -> None:
    before = await client.slugs()
    await world.answers(licence("slack"))

    assert (len(before), await client.slugs()) == (3, ["slack"])
    assert (await client.error(f"{EXTENSIONS}/parcels"))[:2] == NOT_LICENSED


async def test_what_is_published_or_changed_is_seen_at_once(client: Client, world: World) -> None:
    before = await client.slugs(search="telegraph")
    await world.answers(publication(first_party("slack", "Telegraph", category="chat")))

    assert (before, await client.slugs(search="telegraph")) == ([], ["slack"])


async def test_what_is_installed_is_known_from_the_installation_services_news(
    client: Client, world: World
) -> None:
    await world.tell(installation("parcels", 2), installation("slack", 1, brand="umbrella"))
    there = await client.slugs(installed=True)
    await world.tell(installation("parcels", 1, state="uninstalled"))
    still = await client.slugs(installed=True)
    await world.tell(installation("parcels", 3, state="suspended"))
    suspended = await client.slugs(installed=True)
    page = await client.body(f"{EXTENSIONS}/parcels")
    await world.tell(installation("parcels", 4, state="uninstalled"))

    assert (there, still, suspended) == (["parcels"], ["parcels"], ["parcels"])
    assert page["installed"] is True
    assert await client.slugs(installed=True) == []
    assert await client.slugs(installed=False) == ["parcels", "slack", "smtp-relay"]


async def test_what_is_retired_is_seen_by_those_who_have_it(client: Client, world: World) -> None:
    await world.tell(installation("parcels"))
    await world.answers(licence("parcels", brand="umbrella"), by_operator(RETIRE))

    page = await client.body(f"{EXTENSIONS}/parcels")

    assert (page["state"], page["retired_because"]) == ("retired", "Nobody maintains it.")
    assert "parcels" in await client.slugs()
    for brand in ("umbrella", "initech"):
        assert await client.slugs(brand=brand) == []
        assert (await client.error(f"{EXTENSIONS}/parcels", brand=brand))[:2] == (404, "not_found")
    assert "parcels" in await client.slugs(roles=("operator",), brand="umbrella")


@pytest.mark.parametrize("path", [EXTENSIONS, f"{EXTENSIONS}/slack", "/v1/steps", "/v1/licence"])
async def test_nobody_without_a_token_of_the_catalog_sees_anything(
    client: Client, path: str
) -> None:
    for headers in ({}, {"Authorization": "Bearer nothing"}):
        answer = await client.http.get(path, headers=headers)

        assert (answer.status_code, answer.json()["error"]) == (401, "not_authenticated")
    assert (await client.error(path, audience="workflow"))[:2] == (401, "not_authenticated")
