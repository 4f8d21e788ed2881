"""Decisions over HTTP: what is answered, to whom, and how new it is."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from services.access.api.questions import MOST
from tests.access import given
from tests.access.given import LOUD, RELAY
from tests.access.http import Client, serving
from tests.access.world import World
from tests.running_stack import RunningStack

FAR = datetime(2126, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["the database", "memory"])
async def client(
    world: World, stack: RunningStack, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Client]:
    """Ask twice each time, the second time of a process that remembers the first."""
    remembers = request.param == "memory"
    async with serving(stack, world.database, tmp_path, remembers=remembers) as client:
        yield client


def use(member: str, account: str = "mail") -> dict[str, str]:
    return {"member": member, "account_id": account}


async def test_what_is_allowed_comes_with_the_whole_chain_of_facts(
    world: World, client: Client
) -> None:
    await world.account("mail", "ada")
    await world.apply(given.administrators("root", "ada"))
    await world.apply(given.register("bob"))
    await world.apply(given.enable("bob"))
    await world.apply(given.grant("bob", until=FAR), by="ada")

    [decision] = await client.decided(use("bob"))

    assert decision == {
        "allowed": True,
        "code": "allowed",
        "way": "user",
        "message": "bob may use mail, until 2126-01-01 12:00 UTC.",
        "facts": [
            "bob is on the brand's list as a member.",
            "loud-mail is installed.",
            "It is enabled for bob.",
            "bob may use mail, until 2126-01-01 12:00 UTC.",
        ],
    }


async def test_answers_come_in_the_order_of_the_questions_each_with_what_is_missing(
    world: World, client: Client
) -> None:
    await world.account("mail", "ada")
    await world.account("relay", "ada", extension=RELAY)
    await world.apply(given.administrators("root", "ada"))
    await world.apply(given.register("bob", "carol"))
    await world.apply(given.enable("bob"))
    await world.apply(given.grant_all(), by="ada")

    decisions = await client.decided(
        use("bob"),
        use("carol"),
        use("bob", "relay"),
        use("eve"),
        use("bob", "nowhere"),
        {"member": "ada", "account_id": "mail", "action": "delete"},
        {"member": "bob", "account_id": "mail", "action": "roll_back"},
        {"member": "carol", "extension": RELAY},
        {"member": "carol", "extension": LOUD, "action": "use"},
    )

    assert [(one["code"], one.get("way")) for one in decisions] == [
        ("allowed", "everyone"),
        ("not_enabled", None),
        ("no_access", None),
        ("not_a_member", None),
        ("account_unknown", None),
        ("allowed", "owner"),
        ("not_an_owner", None),
        ("allowed", "licence"),
        ("not_enabled", None),
    ]
    assert (
        decisions[2]["facts"]
        == ["Nobody gave bob access to relay: ask one of its owners."]
        == [decisions[2]["message"]]
    )


async def test_what_has_run_out_or_whose_member_left_counts_no_more(
    world: World, client: Client
) -> None:
    """Nothing has ended the grants yet: no job has run."""
    await world.account("relay", "ada", extension=RELAY)
    await world.apply(given.administrators("root", "ada"))
    await world.apply(given.register("bob", "carol"))
    await world.apply(given.grant("bob", "carol", account="relay", until=FAR), by="ada")
    before = await client.decided(use("bob", "relay"), use("carol", "relay"))
    await world.change(
        "UPDATE access_grant SET until = now() WHERE brand_id = :brand AND member = 'bob'"
    )
    await world.apply(given.remove("carol"))

    after = await client.decided(use("bob", "relay"), use("carol", "relay"))

    assert [one["code"] for one in before] == ["allowed", "allowed"]
    assert [one["code"] for one in after] == ["no_access", "not_a_member"]


async def test_a_member_asks_about_themselves_and_about_accounts_they_own(
    world: World, client: Client
) -> None:
    await world.account("mail", "ada")
    await world.account("other", "root")
    await world.apply(given.administrators("root"))
    await world.apply(given.register("ada", "bob"))

    async def status(*questions: dict[str, str], by: str) -> int:
        return (await client.ask(*questions, by=by, roles=("member",))).status_code

    assert await status(use("ada"), use("ada", "other"), use("ada", "nowhere"), by="ada") == 200
    assert await status({"member": "ada", "extension": LOUD}, by="ada") == 200
    assert await status(use("ada"), use("bob"), by="ada") == 200
    assert await status(use("bob"), use("bob", "other"), by="ada") == 403
    assert await status(use("bob", "nowhere"), by="ada") == 403
    assert await status({"member": "bob", "extension": LOUD}, by="ada") == 403
    assert await status(use("ada"), by="bob") == 403
    refused = await client.ask(use("ada"), by="bob", roles=("member",))
    assert refused.json()["error"] == "not_allowed"


async def test_administrators_ask_about_anybody_as_the_list_has_it_and_operators_do_not(
    world: World, client: Client
) -> None:
    await world.apply(given.administrators("root"))
    await world.apply(given.register("ada"))

    assert (await client.ask(use("bob"))).status_code == 200
    assert (await client.ask(use("bob"), by="ops", roles=("operator",))).status_code == 403
    # Whatever name they bear.
    assert (await client.ask(use("ada"), by="ada", roles=("operator",))).status_code == 403
    assert (await client.ask(use("ada"), by="ada", roles=())).status_code == 403
    # Their issuer says that they are administrators; the list says that they are not.
    assert (await client.ask(use("bob"), by="ada")).status_code == 403
    assert (await client.ask(use("bob"), by="eve")).status_code == 403


async def test_an_owner_who_lost_it_asks_about_others_no_more(world: World, client: Client) -> None:
    await world.account("mail", "ada", "root")
    before = await client.ask(use("bob"), by="ada", roles=("member",))
    await world.apply(given.revoke("ada"))

    after = await client.ask(use("bob"), by="ada", roles=("member",))

    assert (before.status_code, after.status_code) == (200, 403)


async def test_five_thousand_cost_the_statements_of_one(world: World, client: Client) -> None:
    await world.account("mail", "ada")
    await world.apply(given.enable())
    await world.apply(given.grant(*(f"m{one}" for one in range(0, MOST, 2))), by="ada")
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    async def ask(*questions: dict[str, str]) -> tuple[int, list[bool]]:
        statements.clear()
        decisions = await client.decided(*questions)
        return len(statements), [one["allowed"] for one in decisions]

    engine = world.database.reader.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        one, _ = await ask(use("m0"))
        all_, allowed = await ask(*(use(f"m{one}") for one in range(MOST)))
    finally:
        event.remove(engine, "before_cursor_execute", note)

    # The second time a process that remembers knows who asks.
    assert one >= all_ > 0
    assert allowed == [True, False] * (MOST // 2)


@pytest.mark.parametrize(
    "question",
    [
        {"member": "bob"},
        {"member": "bob", "account_id": "mail", "extension": LOUD},
        {"member": "bob", "extension": LOUD, "action": "edit"},
        {"member": "bob", "account_id": "mail", "action": "steal"},
        {"member": "*", "account_id": "mail"},
        {"member": "b/b", "account_id": "mail"},
        {"account_id": "mail"},
    ],
)
async def test_what_is_no_question_is_invalid(question: dict[str, str], client: Client) -> None:
    answer = await client.ask(question)

    assert (answer.status_code, answer.json()["error"]) == (422, "invalid")


async def test_none_and_more_than_the_most_are_invalid(client: Client) -> None:
    assert (await client.ask()).status_code == 422
    assert (await client.ask(*[use("bob")] * (MOST + 1))).status_code == 422


async def test_an_answer_is_as_new_as_every_outcome_that_was_told(
    world: World, client: Client
) -> None:
    await world.account("relay", "ada", extension=RELAY)
    last = 0
    for command, allowed in (
        (given.grant("bob", account="relay"), True),
        (given.revoke("bob", account="relay"), False),
        (given.grant_all(account="relay"), True),
    ):
        revision = (await world.apply(command, by="ada")).revision
        assert revision is not None
        answer = (await client.ask(use("bob", "relay"), at_least=revision)).json()
        assert answer["decisions"][0]["allowed"] is allowed
        assert answer["revision"] >= revision > last
        again = await client.ask(use("bob", "relay"), at_least=answer["revision"])
        assert again.json()["revision"] == answer["revision"]
        last = revision


async def test_a_revision_that_the_service_never_had_is_unknown(client: Client) -> None:
    answer = await client.ask(use("bob"), at_least=10**12)

    assert answer.status_code == 412
    assert answer.json()["error"] == "revision_unknown"
    assert "1000000000000 is not known here" in answer.json()["message"]


async def test_a_revision_that_comes_meanwhile_is_waited_for(world: World, client: Client) -> None:
    await world.account("relay", "ada", extension=RELAY)
    now = (await client.ask(use("bob", "relay"))).json()["revision"]
    asking = client.ask(use("bob", "relay"), at_least=now + 1, only_once=True)
    waiting = asyncio.create_task(asking)
    await world.apply(given.grant("bob", account="relay"), by="ada")

    answer = (await waiting).json()

    # Nobody was told of it, so it says nothing of the grant: its number is drawn before the commit.
    assert answer["revision"] > now


async def test_nobody_hears_of_another_brand(world: World, client: Client) -> None:
    """The twin has the account, its grants and a list; this brand has nothing but extensions."""
    questions = (use("ada"), use("bob"), {"member": "ada", "extension": LOUD})
    here = await client.decided(*questions)
    there = await client.decided(*questions, brand="twin")

    assert [one["code"] for one in here] == ["account_unknown", "account_unknown", "not_enabled"]
    assert [one["code"] for one in there] == ["allowed", "allowed", "allowed"]


async def test_without_a_token_nothing_is_decided(client: Client) -> None:
    assert (await client.http.post("/v1/decisions", json={"questions": []})).status_code == 401
