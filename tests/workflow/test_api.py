"""What the workflow service answers over HTTP, and to whom."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from keyturn_contracts.keys import Jwks
from keyturn_contracts.proof import check
from keyturn_contracts.workflow import ListPart, RetireEngine

from services.workflow.proof_keys import ProofKeys
from shared.http.paging import write_cursor
from tests.running_stack import RunningStack
from tests.workflow.given import GivenEngine, by_person, fetched, utc_now, workflow
from tests.workflow.http import Client, running_client
from tests.workflow.world import World

ONE = {"w1": ("a",)}


@pytest.fixture
async def client(stack: RunningStack, world: World, tmp_path: Path) -> AsyncIterator[Client]:
    async with running_client(stack, world, tmp_path) as client:
        yield client


async def given_open_rollout(world: World) -> GivenEngine:
    engine = await world.engine()
    await world.account()
    await world.tell(engine.save(workflow("w1", "a"), workflow("w2", "a", owner="bob")))
    await world.account("mail", 2, "e1")
    await world.tell(fetched(version=2))
    await world.close()
    return engine


async def test_an_open_rollout_shows_whom_it_waits_for_as_it_is_now(
    client: Client, world: World
) -> None:
    engine = await given_open_rollout(world)
    other = await world.engine("e2")
    await world.tell(other.save(workflow("w1", "a")))

    shown = (await client.get("/v1/rollouts/mail.2")).json()
    listed = (await client.get("/v1/rollouts")).json()

    assert (shown["state"], shown["legs"], shown["done"]) == ("open", 2, 0)
    assert [one["engine_id"] for one in shown["waiting"]] == ["e1", "e2"]
    assert [one["rollout_id"] for one in listed["items"]] == ["mail.2"]
    assert shown["seconds"] >= 0
    assert engine.id == "e1"


async def test_a_rollout_names_what_failed_and_what_vanished(client: Client, world: World) -> None:
    engine = await given_open_rollout(world)
    part = ListPart(id="l1", scope="everything", part=1, last=True)
    failed = [{"workflow_id": "w1", "reason": "No route."}]
    await world.tell(
        engine.save(workflow("w1", "a"), part=part),
        engine.confirm(2, ONE, failed=failed, failed_count=1),
    )

    shown = (await client.get("/v1/rollouts/mail.2")).json()

    assert shown["failed"] == [{"engine_id": "e1", "workflow_id": "w1", "reason": "No route."}]
    assert shown["vanished"] == [{"engine_id": "e1", "workflow_id": "w2", "task_id": "a"}]


async def test_a_proof_is_answered_as_it_was_signed_with_the_keys_to_check_it(
    client: Client, world: World
) -> None:
    engine = await given_open_rollout(world)
    missing = await client.get("/v1/rollouts/mail.2/proof")
    assert (missing.status_code, missing.json()["error"]) == (404, "not_found")
    await world.tell(engine.confirm(2, {"w1": ("a",), "w2": ("a",)}))
    await world.close()

    answer = await client.get("/v1/rollouts/mail.2/proof")
    published = await client.nobody("/v1/proof-keys")

    assert answer.content == await world.proof()
    assert check(answer.content, None).is_consistent
    keys = Jwks.model_validate(published.json())
    assert set(keys.by_id()) == {client.keys.newest.thumbprint()}
    [shown] = published.json()["keys"]
    assert shown.keys() == {"kty", "crv", "x", "use", "kid"}


async def test_rollouts_are_filtered_and_paged_the_newest_first(
    client: Client, world: World
) -> None:
    for account_id in ("a", "b", "c"):
        await world.account(account_id)
        await world.account(account_id, 2)
        await world.close()
    await given_open_rollout(world)

    found = await client.items("/v1/rollouts", limit=1)
    assert [one["rollout_id"] for one in found] == ["mail.2", "c.2", "b.2", "a.2"]
    done = await client.items("/v1/rollouts", state="completed", limit=2)
    assert [one["rollout_id"] for one in done] == ["c.2", "b.2", "a.2"]
    of_one = await client.items("/v1/rollouts", account="b")
    assert [one["rollout_id"] for one in of_one] == ["b.2"]


async def test_dependents_are_all_tasks_of_an_account_with_their_state(
    client: Client, world: World
) -> None:
    engine = await given_open_rollout(world)
    await world.tell(engine.save(workflow("w3", "a", "b")))
    part = ListPart(id="l1", scope="mail", part=1, last=True)
    await world.tell(
        engine.save(
            workflow("w1", "a"), workflow("w2", "a", owner="bob"), workflow("w3", "a"), part=part
        )
    )

    page = (await client.get("/v1/accounts/mail/dependents")).json()
    found = await client.items("/v1/accounts/mail/dependents", limit=1)

    assert found == page["items"]
    assert [(one["workflow_id"], one["task_id"], one["state"]) for one in found] == [
        ("w1", "a", "allowed"),
        ("w2", "a", "suspended"),
        ("w3", "a", "allowed"),
        ("w3", "b", "vanished"),
    ]
    assert found[1]["reason"] == "no_access"
    assert (page["count"], page["vanished_count"]) == (3, 1)


async def test_the_preview_label_follows_an_extension_into_every_workflow_that_uses_it(
    client: Client, world: World
) -> None:
    engine = await world.engine()
    await world.account()
    await world.account("chat", extension="slack")
    await world.tell(
        engine.save(workflow("w1", "a"), workflow("w2", "a", account_id="chat")),
    )

    async def labels() -> tuple[dict[str, bool], dict[str, bool]]:
        workflows = await client.items("/v1/workflows")
        tasks = [
            one
            for account in ("mail", "chat")
            for one in await client.items(f"/v1/accounts/{account}/dependents")
        ]
        return (
            {one["workflow_id"]: one["preview"] for one in workflows},
            {one["workflow_id"]: one["preview"] for one in tasks},
        )

    unknown = await labels()
    await world.installation(preview=True)
    previewed = await labels()
    await world.installation(preview=False)

    assert unknown == ({"w1": False, "w2": False}, {"w1": False, "w2": False})
    assert previewed == ({"w1": True, "w2": False}, {"w1": True, "w2": False})
    assert await labels() == unknown


async def test_dependents_say_that_the_licence_is_why_they_are_suspended(
    client: Client, world: World
) -> None:
    await given_open_rollout(world)
    await world.licence("another")
    await world.close()

    found = await client.items("/v1/accounts/mail/dependents")

    assert {(one["state"], one["reason"]) for one in found} == {("suspended", "not_licensed")}


async def test_workflows_that_are_behind_are_named_with_the_reason(
    client: Client, world: World
) -> None:
    engine = await given_open_rollout(world)
    other = await world.engine("e2")
    await world.tell(other.save(workflow("w1", "a"), workflow("w2", "a"), workflow("w3", "a")))
    failed = [{"workflow_id": "w2", "reason": "No route."}]
    both = {"w1": ("a",), "w2": ("a",)}
    await world.tell(engine.confirm(2, both, failed=failed, failed_count=1))

    found = await client.items("/v1/workflows/behind", limit=1)

    assert found == await client.items("/v1/workflows/behind", account="mail")
    assert [(one["engine_id"], one["workflow_id"], one["why"]) for one in found] == [
        ("e1", "w2", "failed"),
        ("e2", "w1", "unconfirmed"),
        ("e2", "w2", "unconfirmed"),
        ("e2", "w3", "unconfirmed"),
    ]
    assert found[0]["reason"] == "No route."
    assert len(await client.items("/v1/workflows/behind", engine="e1")) == 1
    assert await client.items("/v1/workflows/behind", account="chat") == []
    assert (await client.member("/v1/workflows/behind", "bob")).json()["items"] == []


async def test_what_is_behind_is_found_beyond_one_look_at_the_rollouts(
    client: Client, world: World
) -> None:
    engine = await world.engine()
    names = [f"a{one:03}" for one in range(120)]
    await world.tell(engine.save(*(workflow(one, "a", account_id=one) for one in names)))
    await world.tell(*(world.news(one, 2) for one in names))
    await world.tell(*(world.granted("ada", one) for one in names))
    await world.close()

    found = await client.items("/v1/workflows/behind", limit=7)

    assert [one["workflow_id"] for one in found] == names


async def test_workflows_are_listed_by_engine_and_account(client: Client, world: World) -> None:
    engine, other = await world.engine("e1"), await world.engine("e2")
    await world.tell(
        engine.save(workflow("w1", "a", "b"), workflow("w2", "a", account_id="chat")),
        other.save(workflow("w1", "a", owner="bob")),
    )

    def names(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
        return [(one["engine_id"], one["workflow_id"]) for one in found]

    everything = await client.items("/v1/workflows", limit=1)
    assert names(everything) == [("e1", "w1"), ("e1", "w2"), ("e2", "w1")]
    assert names(await client.items("/v1/workflows", account="mail", limit=1)) == [
        ("e1", "w1"),
        ("e2", "w1"),
    ]
    assert names(await client.items("/v1/workflows", engine="e2")) == [("e2", "w1")]
    assert names((await client.member("/v1/workflows", "bob")).json()["items"]) == [("e2", "w1")]
    await world.tell(by_person(RetireEngine(engine_id="e1"), at=utc_now()))
    assert names(await client.items("/v1/workflows")) == [("e2", "w1")]


async def test_engines_are_listed_for_administrators(client: Client, world: World) -> None:
    engine = await world.engine("e1")
    await world.engine("e2", kind="leasing")

    found = await client.items("/v1/engines", limit=1)

    assert [(one["engine_id"], one["engine_kind"], one["state"]) for one in found] == [
        ("e1", "confirming", "registered"),
        ("e2", "leasing", "registered"),
    ]
    assert found[0]["sig"] == engine.sig.thumbprint()
    assert (await client.get("/v1/engines/e1")).json() == found[0]
    assert (await client.get("/v1/engines/e9")).status_code == 404


# Who sees what.


async def test_an_engine_reads_its_own_epoch_and_number_and_nothing_else(
    client: Client, world: World
) -> None:
    engine = await given_open_rollout(world)
    await world.engine("e2")

    own = await client.engine(engine, "/v1/engines/e1")

    assert own.json() == {"epoch": 1, "number": engine.number}
    for path in (
        "/v1/engines",
        "/v1/engines/e2",
        "/v1/rollouts",
        "/v1/rollouts/mail.2",
        "/v1/rollouts/mail.2/proof",
        "/v1/accounts/mail/dependents",
        "/v1/workflows",
        "/v1/workflows/behind",
    ):
        answer = await client.engine(engine, path)
        assert (answer.status_code, answer.json()["error"]) == (403, "not_allowed"), path


async def test_a_retired_engine_is_answered_nothing(client: Client, world: World) -> None:
    engine = await world.engine()
    await world.tell(by_person(RetireEngine(engine_id="e1"), at=utc_now()))

    assert (await client.engine(engine, "/v1/engines/e1")).status_code == 403


async def test_a_member_sees_what_concerns_their_own_accounts(client: Client, world: World) -> None:
    await given_open_rollout(world)

    assert (await client.member("/v1/rollouts/mail.2")).status_code == 200
    assert (await client.member("/v1/accounts/mail/dependents")).status_code == 200
    assert len((await client.member("/v1/workflows/behind")).json()["items"]) == 2
    for path in (
        "/v1/rollouts/mail.2",
        "/v1/rollouts/mail.2/proof",
        "/v1/accounts/mail/dependents",
    ):
        foreign = await client.member(path, "bob")
        assert (foreign.status_code, foreign.json()["error"]) == (404, "not_found")
    assert (await client.member("/v1/rollouts", "bob")).json() == {"items": []}
    for path in ("/v1/engines", "/v1/engines/e1"):
        assert (await client.member(path)).status_code == 403


async def test_another_brand_sees_nothing_of_it(client: Client, world: World) -> None:
    await given_open_rollout(world)

    assert (await client.get("/v1/rollouts", brand="rival")).json() == {"items": []}
    assert (await client.get("/v1/rollouts/mail.2", brand="rival")).status_code == 404
    assert (await client.get("/v1/accounts/mail/dependents", brand="rival")).status_code == 404
    assert (await client.get("/v1/engines", brand="rival")).json() == {"items": []}


async def test_nobody_without_a_token_sees_anything_but_the_proof_keys(client: Client) -> None:
    for path in ("/v1/rollouts", "/v1/engines/e1", "/v1/workflows", "/v1/accounts/a/dependents"):
        assert (await client.nobody(path)).status_code == 401
    assert (await client.nobody("/v1/proof-keys")).status_code == 200


@pytest.mark.parametrize(
    "after",
    [
        "nonsense",
        "W10",
        "WzFd",
        "🔑",
        "WyJhIiwiYiIsImMiXQ",
        write_cursor("2026-03-01T12:00:00", "mail", "2"),
        write_cursor("2026-03-01T12:00:00+00:00", "mail", str(2**63)),
    ],
)
@pytest.mark.parametrize("path", ["/v1/rollouts", "/v1/workflows", "/v1/engines"])
async def test_an_after_that_no_page_gave_is_refused(client: Client, path: str, after: str) -> None:
    answer = await client.get(path, after=after)

    assert (answer.status_code, answer.json()["error"]) == (422, "invalid")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/rollouts/none", 422),
        ("/v1/rollouts/mail.9999999999999999999", 404),
        ("/v1/rollouts/mail.1", 404),
        ("/v1/accounts/none/dependents", 404),
        ("/v1/accounts/%20/dependents", 422),
    ],
)
async def test_what_is_not_there_is_not_found_and_what_is_no_name_invalid(
    client: Client, path: str, status: int
) -> None:
    assert (await client.get(path)).status_code == status


# Proof keys.


def test_a_proof_key_is_made_once_and_old_ones_stay_published(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    first, again = ProofKeys(tmp_path), ProofKeys(tmp_path)
    first.load()
    again.load()
    assert first.newest.thumbprint() == again.newest.thumbprint()
    [file] = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    newer = ProofKeys(other)
    newer.load()
    [made] = other.iterdir()
    made.rename(tmp_path / "proof-0002.json")
    again.load()

    assert again.newest.thumbprint() == newer.newest.thumbprint()
    assert set(again.public().by_id()) == {
        newer.newest.thumbprint(),
        first.newest.thumbprint(),
    }
