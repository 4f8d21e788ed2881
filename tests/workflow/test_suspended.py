"""An engine reads which of its tasks it must not run; people see it, and see it beforehand."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from keyturn_contracts.message import CommandApplied
from keyturn_contracts.workflow import OverrideRollout, RetireEngine, SuspendedTasks
from sqlalchemy import event

from tests.running_stack import RunningStack
from tests.workflow.given import MEMBER, GivenEngine, by_person, member_news, policy_news, utc_now
from tests.workflow.given import workflow as given_workflow
from tests.workflow.http import Client, running_client
from tests.workflow.world import World

REVOCATION = "/v1/accounts/mail/revocation"


@pytest.fixture
async def client(stack: RunningStack, world: World, tmp_path: Path) -> AsyncIterator[Client]:
    async with running_client(stack, world, tmp_path) as client:
        yield client


async def given_tasks(world: World) -> GivenEngine:
    """Have `ada`, `bob` and `cyd` use `mail`; `bob` was given it, and `cyd` was not."""
    engine = await world.engine()
    await world.account()
    await world.give("bob")
    await world.tell(
        engine.save(
            given_workflow("w1", "a"),
            given_workflow("w2", "a", "b", owner="bob"),
            given_workflow("w3", "a", owner="cyd"),
            given_workflow("w4", "a", account_id="none"),
        )
    )
    await world.close()
    return engine


async def suspended(client: Client, engine: GivenEngine, **parameters: Any) -> SuspendedTasks:
    answer = await client.engine(engine, f"/v1/engines/{engine.id}/suspended", **parameters)
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() <= {"tasks", "suspensions", "next"}
    return SuspendedTasks.model_validate(answer.json())


def named(found: SuspendedTasks) -> list[tuple[str, str, str, str]]:
    return [(one.workflow_id, one.task_id, one.account_id, one.reason) for one in found.tasks]


# The engine.


async def test_an_engine_reads_its_suspended_tasks_with_the_numbers_that_it_heard(
    client: Client, world: World
) -> None:
    engine = await given_tasks(world)
    before = await suspended(client, engine)
    await world.take("bob")
    await world.close()
    after = await suspended(client, engine)

    cyds, none = ("w3", "a", "mail", "no_access"), ("w4", "a", "none", "account_unknown")
    assert named(before) == [cyds, none]
    assert before.suspensions == {"mail": 1, "none": 1}
    assert named(after) == [
        ("w2", "a", "mail", "no_access"),
        ("w2", "b", "mail", "no_access"),
        cyds,
        none,
    ]
    assert after.suspensions == {"mail": 2, "none": 1}


async def test_pages_of_suspended_tasks_name_each_once(client: Client, world: World) -> None:
    engine = await given_tasks(world)
    await world.take("bob")
    await world.close()
    whole = named(await suspended(client, engine))

    found: list[tuple[str, str, str, str]] = []
    page = await suspended(client, engine, limit=1)
    while True:
        found += named(page)
        if page.next is None:
            break
        page = await suspended(client, engine, limit=1, after=page.next)

    assert found == whole
    assert len(found) == 4


async def test_what_is_read_is_what_the_numbers_beside_it_stand_for(
    client: Client, world: World
) -> None:
    """News that is still to be judged is told of by an event, and read with its number."""
    engine = await given_tasks(world)
    before = await suspended(client, engine)
    await world.take("bob")
    meanwhile = await suspended(client, engine)
    # What is saved is judged by the news at once, with all that its owner's tasks use of it.
    await world.tell(engine.save(given_workflow("w5", "a", owner="bob")))
    saved = await suspended(client, engine)
    await world.close()

    assert meanwhile == before
    assert [one[0] for one in named(saved)] == ["w2", "w2", "w3", "w4", "w5"]
    assert saved.suspensions["mail"] > before.suspensions["mail"]
    assert await suspended(client, engine) == saved


async def test_a_page_reads_what_is_kept_and_judges_nothing(client: Client, world: World) -> None:
    engine = await given_tasks(world)
    asked: list[str] = []

    def note(*arguments: Any) -> None:
        asked.append(arguments[2])

    reader = world.database.reader.sync_engine
    event.listen(reader, "before_cursor_execute", note)
    try:
        await suspended(client, engine, limit=1)
    finally:
        event.remove(reader, "before_cursor_execute", note)

    assert any(" usage" in one for one in asked)
    assert not [one for one in asked if "access_grant" in one or "enablement" in one]


async def test_flagged_and_vanished_tasks_are_not_suspended(client: Client, world: World) -> None:
    engine = await given_tasks(world)
    await world.tell(policy_news("flag"))
    await world.close()

    assert named(await suspended(client, engine)) == [("w4", "a", "none", "account_unknown")]


async def test_only_the_engine_itself_reads_what_is_suspended(client: Client, world: World) -> None:
    engine = await given_tasks(world)
    other = await world.engine("e2")
    path = f"/v1/engines/{engine.id}/suspended"

    answers = [
        await client.engine(other, path),
        await client.get(path),
        await client.member(path),
        await client.engine(GivenEngine("e1", brand="rival"), path),
    ]
    assert [one.status_code for one in answers] == [403, 403, 403, 401]
    assert named(await suspended(client, other)) == []
    await world.tell(by_person(RetireEngine(engine_id="e1"), at=utc_now()))
    assert (await client.engine(engine, path)).status_code == 403


# People.


async def test_dependents_show_who_has_no_access_and_what_goes_on_without(
    client: Client, world: World
) -> None:
    await given_tasks(world)

    async def states() -> list[tuple[str, str, str | None]]:
        found = await client.items("/v1/accounts/mail/dependents")
        return [(one["workflow_id"], one["state"], one.get("reason")) for one in found]

    before = await states()
    await world.tell(policy_news("flag"))
    after = await states()

    allowed = [("w1", "allowed", None), ("w2", "allowed", None), ("w2", "allowed", None)]
    assert before == [*allowed, ("w3", "suspended", "no_access")]
    assert after == [*allowed, ("w3", "flagged", "no_access")]


async def test_a_preview_names_the_tasks_that_would_stop_and_changes_nothing(
    client: Client, world: World
) -> None:
    await given_tasks(world)

    found = (await client.get(REVOCATION, member="bob")).json()

    assert [(one["workflow_id"], one["task_id"], one["state"]) for one in found["items"]] == [
        ("w2", "a", "suspended"),
        ("w2", "b", "suspended"),
    ]
    assert {one["reason"] for one in found["items"]} == {"no_access"}
    assert (found["count"], found["keep"]) == (2, [])
    assert (await world.holding()).allowed_count == 3


async def test_a_previews_pages_have_an_honest_count(client: Client, world: World) -> None:
    await given_tasks(world)

    pages: list[dict[str, Any]] = []
    after: dict[str, Any] = {}
    while True:
        page = (await client.get(REVOCATION, member=["ada", "bob"], limit=1, **after)).json()
        pages.append(page)
        if "next" not in page:
            break
        after = {"after": page["next"]}

    assert [one["items"][0]["workflow_id"] for one in pages] == ["w1", "w2", "w2"]
    assert {one["count"] for one in pages} == {3}


async def test_whom_everyones_grant_covers_loses_nothing(client: Client, world: World) -> None:
    await given_tasks(world)
    await world.give("*")

    named_ones = (await client.get(REVOCATION, member=["bob", "nobody"])).json()
    all_of_them = (await client.get(REVOCATION, everyone=True)).json()

    assert named_ones == {"items": [], "count": 0, "keep": ["bob", "nobody"]}
    assert [one["workflow_id"] for one in all_of_them["items"]] == ["w3"]
    assert (all_of_them["count"], all_of_them["keep"]) == (1, [])


async def test_a_preview_says_what_would_be_flagged(client: Client, world: World) -> None:
    await given_tasks(world)
    await world.tell(policy_news("flag"))

    found = (await client.get(REVOCATION, member="bob")).json()

    assert {one["state"] for one in found["items"]} == {"flagged"}
    assert found["count"] == 2


async def test_what_is_suspended_anyway_is_not_lost(client: Client, world: World) -> None:
    await given_tasks(world)
    await world.licence("another")
    await world.close()

    found = (await client.get(REVOCATION, member=["ada", "bob"])).json()

    assert found == {"items": [], "count": 0, "keep": []}


async def test_a_preview_of_a_retired_engines_tasks_counts_none(
    client: Client, world: World
) -> None:
    await given_tasks(world)
    await world.tell(by_person(RetireEngine(engine_id="e1"), at=utc_now()))

    assert (await client.get(REVOCATION, member="bob")).json()["count"] == 0


@pytest.mark.parametrize(
    "wrong", [{}, {"member": "ada", "everyone": True}, {"member": "*"}, {"member": ["a"] * 101}]
)
async def test_a_preview_names_members_or_everyone(
    client: Client, world: World, wrong: dict[str, Any]
) -> None:
    await world.account()

    answer = await client.get(REVOCATION, **wrong)

    assert (answer.status_code, answer.json()["error"]) == (422, "invalid")


# Who sees it: owners, by what they were given and not by what they made.


@pytest.mark.parametrize("path", ["/v1/accounts/mail/dependents", f"{REVOCATION}?everyone=true"])
async def test_an_owner_sees_what_depends_on_their_account_and_a_user_does_not(
    client: Client, world: World, path: str
) -> None:
    await given_tasks(world)

    seen = [(await client.member(path, one)).status_code for one in ("ada", "bob")]
    await world.give("bob", level="owner")
    await world.take("ada")

    assert seen == [200, 404]
    assert [(await client.member(path, one)).status_code for one in ("ada", "bob")] == [404, 200]


async def test_who_was_removed_from_the_list_sees_nothing(client: Client, world: World) -> None:
    await given_tasks(world)
    await world.tell(member_news("root", role="administrator"), member_news("ada"))
    listed = (await client.member("/v1/accounts/mail/dependents")).status_code
    await world.tell(member_news("ada", sequence=2, is_removed=True))

    removed = (await client.member("/v1/accounts/mail/dependents")).status_code

    assert (listed, removed) == (200, 403)


async def test_an_override_is_an_owners_by_grant(world: World) -> None:
    engine = await given_tasks(world)
    await world.account("mail", 2, engine.id)
    await world.close()
    command = OverrideRollout(rollout_id="mail.2", engines=("e1",), reason="Lost.")

    def asked(subject: str) -> Any:
        return by_person(command, subject=subject, roles=MEMBER, at=utc_now())

    by_user = await world.refusal(asked("bob"))
    await world.take("ada")
    by_creator = await world.refusal(asked("ada"))
    await world.give("bob", level="owner")

    assert (by_user, by_creator) == ("not_allowed", "not_allowed")
    assert isinstance(await world.answer(asked("bob")), CommandApplied)
