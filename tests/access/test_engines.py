"""Engines ask for decisions of their own brand, and for nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from keyturn_contracts.keys import new_transport_key, public_jwk
from keyturn_contracts.workflow import EngineChanged, EngineRegistered, EngineRetired, Reach

from tests.access import given
from tests.access.given import LOUD
from tests.access.http import Client, serving
from tests.access.world import World
from tests.running_stack import RunningStack
from tests.transport.given import GivenEngine

USE = {"member": "bob", "account_id": "mail"}
LISTS = (
    "members",
    "members/bob",
    "members/bob/accounts",
    "accounts/mail/access",
    "accounts/mail/access/history",
    "accounts/usable",
    f"extensions/{LOUD}/enablements",
    "policy",
)


@pytest.fixture
async def client(world: World, stack: RunningStack, tmp_path: Path) -> AsyncIterator[Client]:
    async with serving(stack, world.database, tmp_path) as client:
        await world.account("mail", "ada")
        await world.apply(given.administrators("root", "ada"))
        await world.apply(given.register("bob"))
        await world.apply(given.enable("bob"))
        await world.apply(given.grant("bob"), by="ada")
        yield client


def registered(engine: GivenEngine, *, state: str = "registered") -> EngineChanged:
    kind = EngineRegistered if state == "registered" else EngineRetired
    return kind.model_validate(
        {
            "engine_id": engine.engine_id,
            "name": "Engine",
            "engine_kind": "confirming",
            "reach": Reach(all=True),
            "sig": public_jwk(engine.key, "sig"),
            "enc": public_jwk(new_transport_key(), "enc"),
            "state": state,
        }
    )


async def test_a_registered_engine_asks_about_whoever_it_runs_workflows_for(
    world: World, client: Client
) -> None:
    engine = GivenEngine()
    assert (await client.ask_as(engine, USE)).status_code == 401
    await world.hear(registered(engine))

    answer = await client.ask_as(engine, USE, {"member": "eve", "account_id": "mail"})

    assert answer.status_code == 200
    assert [one["code"] for one in answer.json()["decisions"]] == ["allowed", "not_a_member"]


async def test_it_is_told_nothing_else(world: World, client: Client) -> None:
    engine = GivenEngine()
    await world.hear(registered(engine))

    for path in LISTS:
        answer = await client.http.get(f"/v1/{path}", headers=client.headers_of(engine))
        assert (answer.status_code, answer.json()["error"]) == (403, "not_allowed"), path


async def test_of_another_brand_and_with_another_key_it_is_nobody(
    world: World, client: Client
) -> None:
    engine = GivenEngine()
    await world.hear(registered(engine))

    stranger = GivenEngine(brand="twin")
    forged = await client.ask_as(GivenEngine(), USE)
    elsewhere = await client.ask_as(engine, USE, brand="twin")
    theirs = await client.ask_as(stranger, USE)

    assert [one.status_code for one in (forged, elsewhere, theirs)] == [401, 401, 401]


async def test_a_retired_engine_asks_no_more(world: World, client: Client) -> None:
    engine = GivenEngine()
    await world.hear(registered(engine))
    await world.hear(registered(engine, state="retired"))

    assert (await client.ask_as(engine, USE)).status_code == 401


async def test_an_engine_decides_nothing_by_command(world: World) -> None:
    await world.account("mail", "ada")

    for command in (given.grant("bob"), given.grant_all(), given.revoke("ada")):
        refused = await world.refusal_of_engine(command)
        assert refused.reason == "not_an_owner"
    assert (await world.refusal_of_engine(given.register("eve"))).reason == "not_an_administrator"
