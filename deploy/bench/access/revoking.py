"""How long a revocation takes until everybody who answers says no."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter

from keyturn_client import Backend, Replica
from keyturn_contracts.access import RevokeAccess

from deploy.bench.access.asking import Server, connected
from deploy.bench.access.data import Data, Question
from deploy.bench.access.in_process import WrongAnswerError
from deploy.bench.access.over_http import PATH, decode, encode, token_of
from deploy.bench.access.place import Place
from shared.cli.output import say

_LONGEST_SECONDS = 10.0
_LOOK_SECONDS = 0.0005
"""How often the replica is asked: it answers in this process, and is not to fill it."""
_PAUSE_SECONDS = 0.002
"""How long nothing is asked after an answer: who is asked without a pause has no time to hear."""
_TOLD_EACH = 10

Says = Callable[[Question], Awaitable[bool]]


async def measure(
    place: Place, backend: Backend, replica: Replica, data: Data
) -> dict[str, list[float]]:
    """Return how many milliseconds each took, from the command's publishing on.

    All are asked at once, again and again; before the command all have said yes, so that whatever
    is kept of an answer is kept. `everywhere`: the last of them.
    """
    taken: dict[str, list[float]] = {}
    async with (
        connected(place.cached.port, connections=1, token=token_of(place)) as cached,
        connected(place.plain.port, connections=1, token=token_of(place)) as plain,
    ):

        async def replica_says(question: Question) -> bool:
            await asyncio.sleep(_LOOK_SECONDS)
            return replica.decide(*question).allowed

        everybody: dict[str, Says] = {
            "service": _asking(plain),
            "cached_answer": _asking(cached),
            "replica": replica_says,
        }
        for number, (member, account_id) in enumerate(data.leaving()):
            question: Question = (member, "use", account_id)
            for who, says in everybody.items():
                if not await says(question):
                    raise WrongAnswerError(f"{who} does not let {member} use {account_id}.")
            command = backend.prepare(RevokeAccess(account_id=account_id, members=(member,)))
            began = perf_counter()
            _, samples = await asyncio.gather(
                backend.publish(command),
                asyncio.gather(
                    *(_until_no(who, says, question, began) for who, says in everybody.items())
                ),
            )
            found = dict(zip(everybody, samples, strict=True))
            for who, sample in {**found, "everywhere": max(found.values())}.items():
                taken.setdefault(who, []).append(sample)
            if number % _TOLD_EACH == 0:
                say(f"revocation {number + 1}: everywhere after {max(found.values()):.1f} ms")
    return taken


def _asking(server: Server) -> Says:
    async def says(question: Question) -> bool:
        await asyncio.sleep(_PAUSE_SECONDS)
        [decision] = decode(await server.post(PATH, encode([question])))
        return decision.allowed

    return says


async def _until_no(who: str, says: Says, question: Question, began: float) -> float:
    while await says(question):
        if perf_counter() - began > _LONGEST_SECONDS:
            member, _, account_id = question
            raise WrongAnswerError(
                f"{who} lets {member} use {account_id} {_LONGEST_SECONDS:g} s after that was "
                "revoked."
            )
    return (perf_counter() - began) * 1000
