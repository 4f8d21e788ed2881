"""An uninstallation ends in the vault, the workflow service and access, whoever is killed."""

import asyncio
from collections import Counter
from collections.abc import Mapping

import pytest
from keyturn_client import Engine, Fetched, Workflows
from keyturn_contracts.access import GrantAccess
from keyturn_contracts.keys import Jwks
from keyturn_contracts.proof import check

from tests.client.world import OWNER, Brand, World, applied, workflows
from tests.faults.installing import SLUG, install, shown, uninstall
from tests.faults.log import Announced, announced, once_each
from tests.faults.test_kills import armed, killed_and_started_again
from tests.waiting import eventually

ACCOUNTS = ("mail", "chat", "news")


async def add_account(brand: Brand, account_id: str) -> None:
    await brand.mail.add("first pass", "first pass")
    prepared = await brand.backend.prepare_account(
        account_id,
        extension=SLUG,
        scheme="smtp-password",
        name="Pager",
        settings={"host": "localhost", "port": str(brand.mail.port)},
        fields=brand.fields("first pass"),
    )
    applied(await brand.backend.ask(prepared))


async def apply(_credential: Fetched, _workflows: Workflows) -> Mapping[str, str]:
    return {}


async def clearances(world: World, service: str, brand: Brand) -> list[Announced]:
    log = await announced(world, service, brand.name)
    found = log.get(f"{brand.name}/clearances/{SLUG}/{service}")
    return once_each(found) if found else []


async def is_uninstalled(world: World, brand: Brand) -> bool:
    return (await shown(world, brand))["state"] == "uninstalled"


@pytest.mark.parametrize(
    ("service", "crash"),
    [
        ("credential-vault", "vault.before_clear:1"),
        ("credential-vault", "vault.after_clear:1"),
        ("credential-vault", "outbox.before_send:1"),
        ("credential-vault", "outbox.after_send:1"),
        ("workflow", "workflow.before_clear:1"),
        ("workflow", "workflow.after_clear:1"),
        ("workflow", "workflow.before_close:1"),
        ("access", "access.before_clear:1"),
        ("access", "access.after_clear:1"),
        ("access", "access.before_cleared:1"),
        ("access", "access.after_cleared:1"),
        ("installation", "installation.before_follow:1"),
        ("installation", "installation.after_follow:1"),
        ("installation", "installation.before_uninstalled:1"),
        ("installation", "installation.after_uninstalled:1"),
    ],
)
async def test_an_uninstallation_ends_everywhere_and_once_though_a_participant_is_killed(
    world: World, brand: Brand, service: str, crash: str
) -> None:
    await install(world, brand)
    for one in ACCOUNTS:
        await add_account(brand, one)
    await brand.add_account("relay", "relay pass")
    for one in (*ACCOUNTS, "relay"):
        applied(await brand.backend.ask(GrantAccess(account_id=one, members=("bob",))))
    settings = await brand.register_engine()
    async with Engine(settings, apply) as engine:
        for one in (*ACCOUNTS, "relay"):
            await engine.save(workflows(f"w-{one}", account=one))
        await engine.settled()
        await armed(world, service, crash)

        # At once: it may die before it has answered what came of the command.
        uninstall_id, _ = await asyncio.gather(
            uninstall(brand), killed_and_started_again(world, service, asyncio.Event())
        )

        assert await eventually(lambda: is_uninstalled(world, brand), within=60)
        await engine.settled()
    await check_installation(world, brand, uninstall_id)
    await check_vault(world, brand, uninstall_id)
    await check_workflow(world, brand, uninstall_id)
    await check_access(world, brand, uninstall_id)


async def check_installation(world: World, brand: Brand, uninstall_id: str) -> None:
    log = await announced(world, "installation", brand.name)
    told = once_each(log[f"{brand.name}/installations/{SLUG}"])
    assert [one.type for one in told].count("ExtensionUninstalled") == 1
    ending = told[-1].content["uninstallation"]
    assert ending["uninstall_id"] == uninstall_id
    assert (ending["accounts"], ending["tasks"]) == (len(ACCOUNTS), len(ACCOUNTS))
    counted = (await clearances(world, "access", brand))[-1].content
    assert ending["grants"] == counted["grants"]


async def check_vault(world: World, brand: Brand, uninstall_id: str) -> None:
    """Each account is deleted once, is counted, and the other extension's is as it was."""
    told = await clearances(world, "credential-vault", brand)
    assert {one.content["uninstall_id"] for one in told} == {uninstall_id}
    counts = [one.content["accounts"] for one in told]
    assert counts == sorted(counts)
    assert counts[-1] == len(ACCOUNTS)
    log = await announced(world, "credential-vault", brand.name)
    for one in ACCOUNTS:
        kinds = [event.type for event in once_each(log[f"{brand.name}/accounts/{one}"])]
        assert kinds.count("AccountDeleted") == 1
    assert "AccountDeleted" not in {one.type for one in log[f"{brand.name}/accounts/relay"]}


async def check_workflow(world: World, brand: Brand, uninstall_id: str) -> None:
    """Every task is suspended and counted, and each deletion has its proof."""
    told = await clearances(world, "workflow", brand)
    assert {one.content["uninstall_id"] for one in told} == {uninstall_id}
    assert [one.content["done"] for one in told].count(True) == 1
    assert told[-1].content["tasks"] == len(ACCOUNTS)
    keys = Jwks.model_validate(await brand.backend.queries.proof_keys())
    for one in ACCOUNTS:
        verdict = check(await brand.backend.queries.proof(f"{one}.2"), keys)
        assert (verdict.problems, verdict.is_pinned) == ((), True)
        rollout = await brand.completed(f"{one}.2")
        assert (rollout.legs, rollout.done, rollout.excused) == (1, 1, ())
        states = {task["state"] async for task in brand.backend.queries.dependents(one)}
        assert states == {"suspended"}
    assert {task["state"] async for task in brand.backend.queries.dependents("relay")} == {
        "allowed"
    }


async def check_access(world: World, brand: Brand, uninstall_id: str) -> None:
    """Each grant and the enablement end once; what ended for the uninstallation is counted."""
    told = await clearances(world, "access", brand)
    assert {one.content["uninstall_id"] for one in told} == {uninstall_id}
    assert [one.content["done"] for one in told].count(True) == 1
    log = await announced(world, "access", brand.name)
    why: Counter[str] = Counter()
    for account in ACCOUNTS:
        for member in (OWNER, "bob"):
            given, ended = once_each(log[f"{brand.name}/grants/{account}/{member}"])
            assert (given.type, ended.type) == ("AccessGranted", "AccessRevoked")
            why[ended.content["why_ended"]] += 1
    # Where the vault's news of a deletion is here first, a grant ends for that.
    assert why.keys() <= {"uninstalled", "account_deleted"}
    enabled, disabled = once_each(log[f"{brand.name}/enablements/{SLUG}/*"])
    assert (enabled.type, disabled.type) == ("ExtensionEnabled", "ExtensionDisabled")
    counted = told[-1].content
    assert (counted["grants"], counted["enablements"]) == (why["uninstalled"], 1)
    for member in (OWNER, "bob"):
        [given] = once_each(log[f"{brand.name}/grants/relay/{member}"])
        assert given.type == "AccessGranted"
