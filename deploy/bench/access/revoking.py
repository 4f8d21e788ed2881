"""How long a revocation takes until everybody who answers says no."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import count
from time import perf_counter

from keyturn_client import Backend, Replica
from keyturn_client.commands import Prepared
from keyturn_contracts.access import RevokeAccess
from keyturn_contracts.message import CommandRefused

from deploy.bench.access.asking import Server, connected
from deploy.bench.access.data import Data, Question
from deploy.bench.access.in_process import WrongAnswerError
from deploy.bench.access.over_http import PATH, decode, encode, token_of
from deploy.bench.access.place import NAME, Place
from deploy.bench.access.telling import RefusedError
from deploy.bench.raw import RawLoop, raw_loop
from shared.cli.output import say

_LONGEST_SECONDS = 10.0
_LOOK_SECONDS = 0.0005
"""How often the replica is asked: it answers in this process, and is not to fill it."""
_PAUSE_SECONDS = 0.002
"""How long nothing is asked after an answer: who is asked without a pause has no time to hear."""
_TOLD_EACH = 10
_WARM_UP = 20

Says = Callable[[Question], Awaitable[bool]]


async def measure(
    place: Place, backend: Backend, replica: Replica, data: Data
) -> dict[str, list[float]]:
    """Return how many milliseconds each took, from the command's publishing on.

    All are asked at once, again and again; before the command all have said yes, so that what is
    kept of an answer is kept. `service`: its answers are from its database. `everywhere`: the last
    of all of them. `outcome`: until the sender is told, and is answered as new as that. Beside them
    in turns, one to one, what a bare loop of aiokafka with one durable commit takes.
    """
    taken: dict[str, list[float]] = {}
    async with (
        _everybody(place, replica) as everybody,
        connected(place.first.port, connections=1, token=token_of(place)) as server,
        raw_loop(
            place.plan.kafka_admin, place.plan.settings_of(NAME).database, commits=True
        ) as loop,
    ):
        await _warm_up(loop)
        for number, (member, account_id) in enumerate(data.leaving()):
            question: Question = (member, "use", account_id)
            for who, says in everybody.items():
                if not await says(question):
                    raise WrongAnswerError(f"{who} does not let {member} use {account_id}.")
            command = backend.prepare(RevokeAccess(account_id=account_id, members=(member,)))
            began = perf_counter()
            outcome, samples = await asyncio.gather(
                _by_outcome(backend, command, server, question, began),
                asyncio.gather(
                    *(_until_no(who, says, question, began) for who, says in everybody.items())
                ),
            )
            found = dict(zip(everybody, samples, strict=True))
            found |= {"everywhere": max(samples), "outcome": outcome}
            found["bare_aiokafka_and_one_commit"] = await loop.round_trip()
            for who, sample in found.items():
                taken.setdefault(who, []).append(sample)
            if number % _TOLD_EACH == 0:
                say(f"revocation {number + 1}: everywhere after {found['everywhere']:.1f} ms")
    return taken


@asynccontextmanager
async def _everybody(place: Place, replica: Replica) -> AsyncGenerator[Mapping[str, Says]]:
    async def replica_says(question: Question) -> bool:
        await asyncio.sleep(_LOOK_SECONDS)
        return replica.decide(*question).allowed

    token = token_of(place)
    async with (
        connected(place.first.port, connections=1, token=token) as first,
        connected(place.second.port, connections=1, token=token) as second,
        connected(place.alone.port, connections=1, token=token) as alone,
    ):
        yield {
            "service": _asking_anew(first),
            "cached_answer": _asking(second),
            "cached_answer_without_redis": _asking(alone),
            "replica": replica_says,
        }


def _asking(server: Server) -> Says:
    async def says(question: Question) -> bool:
        await asyncio.sleep(_PAUSE_SECONDS)
        [decision] = decode(await server.post(PATH, encode([question])))
        return decision.allowed

    return says


def _asking_anew(server: Server) -> Says:
    """Ask for something beside it that was never asked before: that is in nobody's memory."""
    number = count()

    async def says(question: Question) -> bool:
        await asyncio.sleep(_PAUSE_SECONDS)
        _, action, account_id = question
        unheard_of: Question = (f"nobody-{next(number)}", action, account_id)
        decision, _ = decode(await server.post(PATH, encode([question, unheard_of])))
        return decision.allowed

    return says


async def _by_outcome(
    backend: Backend, command: Prepared, server: Server, question: Question, began: float
) -> float:
    """Publish it, and ask for an answer that is as new as its outcome: one is enough."""
    outcome = await backend.ask(command)
    if isinstance(outcome, CommandRefused):
        raise RefusedError(f"{outcome.command}: {outcome.message}")
    asked = encode([question], at_least=outcome.revision)
    [decision] = decode(await server.post(PATH, asked))
    if decision.allowed:
        raise WrongAnswerError(
            f"The service gave an answer older than revision {outcome.revision}."
        )
    return (perf_counter() - began) * 1000


async def _until_no(who: str, says: Says, question: Question, began: float) -> float:
    while await says(question):
        if perf_counter() - began > _LONGEST_SECONDS:
            member, _, account_id = question
            raise WrongAnswerError(
                f"{who} lets {member} use {account_id} {_LONGEST_SECONDS:g} s after that was "
                "revoked."
            )
    return (perf_counter() - began) * 1000


async def _warm_up(loop: RawLoop) -> None:
    for _ in range(_WARM_UP):
        await loop.round_trip()
