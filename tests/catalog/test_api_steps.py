"""Steps for workflow editors, whom to turn to, and licences, over HTTP."""

from typing import Any

import pytest

from tests.catalog.given import RELAY, first_party, licence, step, third_party
from tests.catalog.http import Client
from tests.catalog.world import World

POST = step("post", "Post a message", description="Posts it in a channel.")
SENT = step("sent", "Parcel was sent", kind="event", basis="unverified", note="To be confirmed.")


@pytest.fixture(autouse=True)
async def filled(world: World) -> None:
    await world.given(
        RELAY,
        third_party(steps=(step(), SENT)),
        first_party("slack", steps=(POST,)),
        first_party("secret-thing", steps=(step("hide", "Hide it"),)),
    )
    await world.plan({"small": ["slack"]})
    await world.answers(licence("parcels", plans=["small"]))


async def test_an_extensions_steps_say_who_stands_behind_them(client: Client) -> None:
    send, sent = await client.items("/v1/extensions/parcels/steps")

    assert send == {
        "extension": "parcels",
        "extension_name": "Parcels",
        "id": "send",
        "kind": "task",
        "name": "Send a parcel",
        "description": "Sends it.",
        "confirmed": True,
        "by_line": "By Parcels Inc.",
        "party": "third",
        "label": "Preview",
        "support": {
            "side": "vendor",
            "name": "Parcels support",
            "email": "help@parcels.example",
            "hours": "Mondays to Fridays, 9 to 17 CET",
        },
    }
    assert (sent["confirmed"], sent["note"]) == (False, "To be confirmed.")


async def ids(client: Client, **parameters: Any) -> list[str]:
    return [one["id"] for one in await client.items("/v1/steps", **parameters)]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ["sent", "post", "send"]),
        ({"limit": 1}, ["sent", "post", "send"]),
        ({"search": "mesage"}, ["post"]),
        ({"search": "slack"}, ["post"]),
        ({"search": "hide"}, []),
        ({"kind": "event"}, ["sent"]),
        ({"party": "first"}, ["post"]),
        ({"installed": True}, []),
        ({"brand": "umbrella"}, []),
        ({"roles": ("operator",)}, ["hide", "sent", "post", "send"]),
    ],
)
async def test_the_steps_of_all_are_searched_within_the_licence(
    client: Client, parameters: dict[str, Any], expected: list[str]
) -> None:
    assert await ids(client, **parameters) == expected


async def test_a_first_partys_step_has_the_platforms_support(client: Client) -> None:
    [post] = await client.items("/v1/steps", search="message")

    assert (post["by_line"], "label" in post) == ("By Turnstile", False)
    assert post["support"]["name"] == "Turnstile support"


@pytest.mark.parametrize(
    ("slug", "problem", "sides"),
    [
        ("parcels", "vendor", ["vendor"]),
        ("parcels", "workflow", ["platform"]),
        ("parcels", "interface", ["platform", "vendor"]),
        ("slack", "vendor", ["platform"]),
        ("slack", "workflow", ["platform"]),
        ("slack", "interface", ["platform"]),
    ],
)
async def test_support_says_whom_to_turn_to_and_why(
    client: Client, slug: str, problem: str, sides: list[str]
) -> None:
    found = await client.body(f"/v1/extensions/{slug}/support", problem=problem)

    assert found["problem"] == problem
    assert [one["side"] for one in found["contacts"]] == sides
    assert all("@" in one["email"] for one in found["contacts"])
    assert found["reason"].endswith(".")


@pytest.mark.parametrize("parameters", [{}, {"problem": "weather"}])
async def test_support_is_for_one_of_three_problems(
    client: Client, parameters: dict[str, Any]
) -> None:
    status, error, _ = await client.error("/v1/extensions/slack/support", **parameters)

    assert (status, error) == (422, "invalid")


async def test_a_licence_shows_what_it_covers(client: Client) -> None:
    shown = await client.body("/v1/licence")
    to_operator = await client.body("/v1/licence", roles=("operator",))
    nothing = await client.body("/v1/licence", brand="umbrella")

    set_at = shown.pop("set_at")
    assert shown == {
        "brand": "acme",
        "extensions": ["parcels", "slack"],
        "named": ["parcels"],
        "plans": ["small"],
    }
    assert to_operator == {**shown, "set_at": set_at, "set_by": "root"}
    assert nothing == {"brand": "umbrella", "extensions": [], "named": [], "plans": []}


async def test_only_an_operator_sees_the_licence_of_another_brand(client: Client) -> None:
    operator: dict[str, Any] = {"roles": ("operator",), "brand": "umbrella"}

    seen = await client.body("/v1/licence?brand=acme", **operator)
    own = await client.body("/v1/licence?brand=acme")
    refused = [
        await client.error("/v1/licence?brand=acme", brand="umbrella"),
        await client.error(
            "/v1/licence?brand=umbrella", roles=("operator",), brand="acme", issuer="acmes"
        ),
    ]

    assert seen["extensions"] == own["extensions"] == ["parcels", "slack"]
    assert {error[:2] for error in refused} == {(403, "not_allowed")}
    assert (await client.error("/v1/licence?brand=not a brand"))[:2] == (422, "invalid")
