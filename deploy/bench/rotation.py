"""Measures the main job: command to `RolloutCompleted`, and command to event beside a bare loop."""

import asyncio
import logging
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from keyturn_client import (
    Backend,
    BackendSettings,
    Engine,
    EngineKeys,
    EngineSettings,
    Fetched,
    Reach,
    SavedTask,
    SavedWorkflow,
    Workflows,
)
from keyturn_client.commands import Prepared
from keyturn_contracts.catalog import SetLicence
from keyturn_contracts.credential_vault import AccountEdited, EditAccount
from keyturn_contracts.message import Command, CommandRefused
from keyturn_contracts.workflow import RolloutCompleted
from pydantic import SecretStr

from deploy.bench.figures import machine, ratio, summary, write
from deploy.bench.listening import Listening, listening
from deploy.bench.raw import raw_loop
from deploy.demo.guard import guarded
from deploy.demo.mail_operator import USER, MailOperator
from deploy.demo.place import Place, find_place, make_folder
from deploy.local.external import read_external
from deploy.local.plan import known_plan
from deploy.local.up import bring_down, bring_up
from shared.cli.output import say

_OWNER = "ada"
_UP_SECONDS = 300.0
_ROUNDS = 3
_PER_ROUND = 100
_WARM_UP = 20


class RefusedError(Exception):
    """A command that the measurement needs was refused; the text says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every measurement works with."""

    place: Place
    backend: Backend
    heard: Listening
    mail: MailOperator
    password: str


def measure(folder: Path, *, sizes: Sequence[int], repeats: int, output: Path) -> dict[str, Any]:
    """Run everything on a stack of its own, write the figures as JSON, and return them."""
    # It warns of a password in clear at each connection, which here ends at the loopback.
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    before = machine()
    data = make_folder(folder)
    with guarded(data):
        try:
            bring_up(data, say, fresh_ports=False, within=_UP_SECONDS)
            figures = asyncio.run(_measure(find_place(data), sizes, repeats))
        finally:
            bring_down(data)
    report = {"command": "keyturn bench rotation", "machine": before, **figures}
    write(output, report)
    return report


async def _measure(place: Place, sizes: Sequence[int], repeats: int) -> dict[str, Any]:
    settings = BackendSettings(
        kafka=place.kafka,
        services=place.services,
        brand=place.brand,
        issuer=place.issuer,
        key_file=place.key_file,
        subject=_OWNER,
    )
    async with AsyncExitStack() as stack:
        async with Backend(settings.model_copy(update={"roles": {"operator"}})) as operator:
            await _applied(operator, SetLicence(extensions=("smtp-relay",)))
        backend = await stack.enter_async_context(Backend(settings))
        heard = await stack.enter_async_context(listening(backend))
        mail = await MailOperator.start(place.mail, lives_with=os.getpid())
        stack.push_async_callback(mail.stop)
        password = secrets.token_urlsafe(18)
        await mail.add("bench", password)
        bench = Bench(place=place, backend=backend, heard=heard, mail=mail, password=password)
        rotations = {size: await _rotations(bench, size, repeats) for size in sizes}
        latency = await _command_to_event(bench)
    smallest = rotations[min(sizes)]
    return {
        "rotation": {
            str(size): {**summary(taken), "ratio_to_smallest": ratio(taken, smallest)}
            for size, taken in rotations.items()
        },
        "command_to_event": latency,
    }


async def _rotations(bench: Bench, size: int, repeats: int) -> list[float]:
    """Return how long each rotation took, in milliseconds, the first left out."""
    account = f"mail-{size}"
    await _add_account(bench, account)
    engine_settings = await _register(bench, size)
    taken: list[float] = []
    async with Engine(engine_settings, _apply) as engine:
        say(f"{size:,} workflows: saving them")
        await engine.save(
            SavedWorkflow(
                workflow_id=f"w-{number:06}",
                owner=_OWNER,
                tasks=(SavedTask(task_id="send", account_id=account),),
            )
            for number in range(size)
        )
        await engine.settled()
        # The first one waits until the engine has applied what it was saved with.
        for version in range(2, repeats + 3):
            rotation = await bench.backend.prepare_rotation(account, fields=_fields(bench))
            began = perf_counter()
            await bench.backend.publish(rotation)
            arrived = await bench.heard.arrival(
                lambda event, version=version: (
                    isinstance(event, RolloutCompleted)
                    and (event.account_id, event.version) == (account, version)
                )
            )
            taken.append((arrived - began) * 1000)
            await _applied(bench.backend, rotation)
            say(f"{size:,} workflows: {taken[-1]:.1f} ms")
    return taken[1:]


async def _command_to_event(bench: Bench) -> dict[str, Any]:
    """Measure in turns, so that what else happens on the machine meets all three alike."""
    account = "latency"
    await _add_account(bench, account)
    plan = known_plan(bench.place.data, external=read_external(os.environ))
    database = plan.settings_of("credential-vault").database
    ours: list[float] = []
    raw: dict[bool, list[float]] = {False: [], True: []}
    for round_number in range(_ROUNDS):
        say(f"command to event, round {round_number + 1} of {_ROUNDS}")
        ours += await _edits(bench, account, round_number)
        for commits, samples in raw.items():
            async with raw_loop(plan.kafka_admin, database, commits=commits) as loop:
                trips = [await loop.round_trip() for _ in range(_WARM_UP + _PER_ROUND)]
                samples.extend(trips[_WARM_UP:])
    return {
        "keyturn": summary(ours),
        "bare_aiokafka": summary(raw[False]),
        "bare_aiokafka_and_one_commit": summary(raw[True]),
        "ratio_to_bare": ratio(ours, raw[False]),
        "ratio_to_bare_and_commit": ratio(ours, raw[True]),
    }


async def _edits(bench: Bench, account: str, round_number: int) -> list[float]:
    taken: list[float] = []
    for number in range(_WARM_UP + _PER_ROUND):
        name = f"{round_number}-{number}"
        edit = bench.backend.prepare(EditAccount(account_id=account, name=name))
        began = perf_counter()
        await bench.backend.publish(edit)
        arrived = await bench.heard.arrival(
            lambda event, name=name: isinstance(event, AccountEdited) and event.name == name
        )
        taken.append((arrived - began) * 1000)
    return taken[_WARM_UP:]


async def _add_account(bench: Bench, account: str) -> None:
    prepared = await bench.backend.prepare_account(
        account,
        extension="smtp-relay",
        scheme="smtp-password",
        name=account,
        settings={
            "host": "localhost",
            "port": str(bench.mail.port),
            "security": "starttls",
            "from_address": "bench@example.com",
        },
        fields=_fields(bench),
        retire="when-complete",
    )
    await _applied(bench.backend, prepared)


async def _register(bench: Bench, size: int) -> EngineSettings:
    keys = EngineKeys.new()
    engine_id = f"engine-{size}"
    key_file = bench.place.engine / f"{engine_id}.json"
    keys.save(key_file)
    await _applied(
        bench.backend,
        keys.registration(
            brand=bench.place.brand, engine_id=engine_id, name=engine_id, reach=Reach(all=True)
        ),
    )
    return EngineSettings(
        kafka=bench.place.engines_kafka,
        services=bench.place.services,
        brand=bench.place.brand,
        engine_id=engine_id,
        key_file=key_file,
        state_file=bench.place.engine / f"{engine_id}.sqlite",
    )


async def _applied(backend: Backend, command: Command | Prepared) -> None:
    outcome = await backend.ask(command)
    if isinstance(outcome, CommandRefused):
        raise RefusedError(f"{outcome.command}: {outcome.message}")


def _fields(bench: Bench) -> dict[str, SecretStr]:
    return {"username": SecretStr(USER), "password": SecretStr(bench.password)}


async def _apply(_credential: Fetched, _workflows: Workflows) -> Mapping[str, str]:
    return {}
