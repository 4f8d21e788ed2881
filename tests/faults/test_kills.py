"""A service is killed with -9 at its worst moments while commands flow: nothing lost or doubled."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from keyturn_client import Backend, Engine, Fetched, Workflows
from keyturn_client.commands import Prepared
from keyturn_contracts.credential_vault import EditAccount
from keyturn_contracts.message import CommandApplied, CommandRefused

from tests.client.world import Brand, World, applied, workflows
from tests.faults.log import announced, kept, once_each
from tests.waiting import eventually

ACCOUNTS = ("mail", "chat", "news")
EDITS = 20
IN_THE_MACHINERY = (
    "consumer.before_commit:3",
    "consumer.after_commit:3",
    "outbox.before_send:3",
    "outbox.after_send:3",
    "outbox.after_delete:3",
)


async def flow(backend: Backend, killed: asyncio.Event) -> list[Prepared]:
    """Publish renamings of all accounts in turn: so many, and on until the service is killed.

    How many polls they make depends on how fast they are read.
    """
    sent: list[Prepared] = []
    is_killed = asyncio.create_task(killed.wait())
    while len(sent) < EDITS * len(ACCOUNTS) or not is_killed.done():
        number = len(sent) // len(ACCOUNTS)
        sent += [
            await backend.publish(EditAccount(account_id=account, name=f"{account} {number}"))
            for account in ACCOUNTS
        ]
        if number >= EDITS:
            # Not as fast as Kafka takes them: for each of them the outcome is asked, twice.
            await asyncio.wait([is_killed], timeout=0.05)
    return sent


async def killed_and_started_again(world: World, service: str, killed: asyncio.Event) -> None:
    await eventually(lambda: world.has_killed_itself(service), within=120)
    killed.set()
    world.start(service)
    # In a thread: whoever sends meanwhile goes on.
    await asyncio.to_thread(world.wait_ready, service)


async def armed(world: World, service: str, crash: str) -> None:
    """Have the service kill itself there, once it has nothing more to tell of what went before.

    Else it tells that while it starts, and dies before it is ready.
    """
    await eventually(lambda: has_told_all(world, service), within=60)
    world.stop(service)
    world.start(service, crash=crash)
    world.wait_ready(service)


async def has_told_all(world: World, service: str) -> bool:
    untold = ["SELECT FROM outbox"]
    if service == "workflow":
        # What an engine uses is told some time after it was saved.
        untold.append("SELECT FROM recount WHERE changes > counted")
    return not any([await kept(world, service, f"SELECT EXISTS ({one})") for one in untold])


async def outcomes(
    backend: Backend, sent: Sequence[Prepared]
) -> list[CommandApplied | CommandRefused]:
    return list(await asyncio.gather(*(backend.outcome(one) for one in sent)))


@pytest.mark.parametrize("crash", IN_THE_MACHINERY)
async def test_commands_take_effect_once_though_the_vault_is_killed(
    world: World, brand: Brand, crash: str
) -> None:
    for account in ACCOUNTS:
        await brand.add_account(account, f"{account} pass")
    await armed(world, "credential-vault", crash)

    killed = asyncio.Event()
    flowing = asyncio.create_task(flow(brand.backend, killed))
    await killed_and_started_again(world, "credential-vault", killed)
    sent = await flowing
    came = await outcomes(brand.backend, sent)
    for one in sent:
        await brand.backend.publish(one)
    await brand.backend.ask(EditAccount(account_id="mail", name="last"))
    again = await outcomes(brand.backend, sent)

    assert [applied(one).changed for one in came] == [True] * len(sent)
    assert again == came
    log = await announced(world, "credential-vault", brand.name)
    for account in ACCOUNTS:
        names = [one.content["name"] for one in once_each(log[f"{brand.name}/accounts/{account}"])]
        last = ["last"] if account == "mail" else []
        rounds = range(len(sent) // len(ACCOUNTS))
        assert names == ["Mail", *(f"{account} {number}" for number in rounds), *last]


async def test_a_rotation_happens_once_though_the_vault_is_killed_between_answer_and_promotion(
    world: World, brand: Brand
) -> None:
    for account in ACCOUNTS:
        await brand.add_account(account, "first pass")
    await armed(world, "credential-vault", "vault.after_try:1")
    await brand.mail.add("second pass", "second pass")
    rotation = await brand.backend.publish(
        await brand.backend.prepare_rotation("mail", fields=brand.fields("second pass"))
    )

    killed = asyncio.Event()
    flowing = asyncio.create_task(flow(brand.backend, killed))
    await killed_and_started_again(world, "credential-vault", killed)
    edits = await flowing
    came = await outcomes(brand.backend, [rotation, *edits])

    assert all(isinstance(one, CommandApplied) for one in came)
    log = await announced(world, "credential-vault", brand.name)
    events = once_each(log[f"{brand.name}/accounts/mail"])
    assert [one.type for one in events].count("CredentialsRotated") == 1
    assert events[-1].content["version"] == 2
    renamed = [one for one in events if one.type == "AccountEdited"]
    assert len(renamed) == len(edits) // len(ACCOUNTS)


@pytest.mark.parametrize(
    "crash",
    [
        "consumer.before_commit:3",
        "consumer.after_commit:3",
        # A rotation announces little: what engines save announces nothing.
        "outbox.before_send:1",
        "outbox.after_send:1",
        "outbox.after_delete:1",
        "workflow.before_close:1",
        "workflow.after_close:1",
    ],
)
async def test_a_rotation_completes_though_the_workflow_service_is_killed(
    world: World, brand: Brand, crash: str
) -> None:
    await brand.add_account("mail", "first pass")
    settings = await brand.register_engine()
    async with Engine(settings, apply) as engine:
        await engine.save(workflows(*(f"w{number}" for number in range(50))))
        await engine.settled()
        await armed(world, "workflow", crash)
        rotating = asyncio.create_task(brand.rotate("mail", "second pass"))
        killed = asyncio.Event()
        saving = asyncio.create_task(save_until(engine, killed))
        await killed_and_started_again(world, "workflow", killed)
        saved = await saving
        await rotating

        rollout = await brand.completed("mail.2")

        await engine.settled()
        assert (rollout.legs, rollout.done, rollout.waiting) == (1, 1, ())
        dependents = [one async for one in brand.backend.queries.dependents("mail")]
        assert len({one["workflow_id"] for one in dependents}) == saved
    log = await announced(world, "workflow", brand.name)
    kinds = [one.type for one in once_each(log[f"{brand.name}/rollouts/mail.2"])]
    assert (kinds[0], kinds[-1]) == ("RolloutStarted", "RolloutCompleted")
    assert kinds.count("RolloutCompleted") == 1


async def save_until(engine: Engine, killed: asyncio.Event) -> int:
    """Save one workflow after the other until the service is killed; return how many there are."""
    saved, is_killed = 50, asyncio.create_task(killed.wait())
    while not is_killed.done():
        await engine.save(workflows(f"w{saved}"))
        saved += 1
        # Not as fast as a file takes them: each is a command.
        await asyncio.wait([is_killed], timeout=0.02)
    return saved


async def apply(_credential: Fetched, _workflows: Workflows) -> Mapping[str, str]:
    return {}
