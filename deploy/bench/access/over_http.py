"""Decisions over HTTP: in batches, cold and warm, of the service with Redis and without it."""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Literal, NamedTuple

from keyturn_client.commands import Signer
from keyturn_contracts.rights import Decision

from deploy.bench.access.asking import Server, Timed, batches, connected
from deploy.bench.access.data import Question
from deploy.bench.access.in_process import check
from deploy.bench.access.place import NAME, Place, Service
from shared.cli.output import say

SIZES = (1, 10, 50, 100)
CONNECTIONS = 8
PATH = "/v1/decisions"
_WARM_UP = 200
_WARM_SECONDS = 0.5
"""How long at least all connections ask what was asked before: a few requests are soon over."""
_TOKEN_SECONDS = 60.0
_ELSEWHERE = "bench-elsewhere"
"""A brand without anything: asking about it warms the code and the connections, and no facts."""

Temper = Literal["cold", "lent", "warm"]
"""`cold`: nobody was asked that before. `lent`: another process was, with the same Redis. `warm`:
the same one was."""
Encode = Callable[[Sequence[Question]], bytes]
Decode = Callable[[bytes], Sequence[object]]


@dataclass(slots=True)
class Cell:
    """What was measured of one server, in one temper and one size of batch, for each repeat."""

    milliseconds: list[list[float]] = field(default_factory=list[list[float]])
    """Of each request, where nothing else was asked."""
    per_second: list[float] = field(default_factory=list[float])
    """Decisions, with requests over all connections at once."""
    cpu_seconds: float = 0.0
    """That the server's process had a core meanwhile, in all repeats together."""
    decisions: int = 0
    """How many it made in that."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One who answers: how it is asked, and what is right."""

    name: str
    server: Server
    path: Callable[[int], str]
    """For a size of batch."""
    encode: Encode
    decode: Decode
    expected: dict[Question, Any]
    cpu_seconds: Callable[[], float]


class _Turn(NamedTuple):
    asked: Asked
    temper: Temper


Cells = dict[tuple[str, Temper, int], Cell]


async def measure_services(
    place: Place,
    questions: Sequence[Question],
    expected: dict[Question, Decision],
    *,
    requests: int,
    repeats: int,
    others: Sequence[Asked] = (),
) -> Cells:
    """Ask all processes; before another repeat they are started again, and know nothing.

    `others` are asked in the same turns. What they keep of earlier answers they keep.
    """
    cells: Cells = {}
    for repeat in range(repeats):
        say(f"over HTTP, repeat {repeat + 1} of {repeats}")
        if repeat:
            await asyncio.to_thread(place.begin_cold)
        async with AsyncExitStack() as stack:
            ours: list[Asked] = []
            for service in place.services:
                await _warm_up(place, service)
                server = await stack.enter_async_context(
                    connected(service.port, connections=CONNECTIONS, token=token_of(place))
                )
                with_redis = service is not place.alone
                name = "with_redis" if with_redis else "without_redis"
                ours.append(asked_service(name, server, service, expected))
            first, second, alone = ours
            # What is lent is lent for seconds: it is asked for at once.
            turns = [_Turn(first, "cold"), _Turn(second, "lent"), _Turn(first, "warm")]
            for one in (alone, *others):
                turns += (_Turn(one, "cold"), _Turn(one, "warm"))
            await _ask_in_turns(cells, turns, questions, requests)
    return cells


async def _ask_in_turns(
    cells: Cells,
    turns: Sequence[_Turn],
    questions: Sequence[Question],
    requests: int,
) -> None:
    """Ask each in each size of batch, so that what else happens meets all alike."""
    first = 0
    for size in SIZES:
        for busy in (False, True):
            some = batches(questions, size, requests, first)
            first += size * requests
            for one, temper in turns:
                cell = cells.setdefault((one.name, temper, size), Cell())
                if busy:
                    seconds = _WARM_SECONDS if temper == "warm" else 0.0
                    await _ask_busily(cell, one, some, seconds)
                else:
                    await _ask_singly(cell, one, some)


async def _ask_singly(cell: Cell, asked: Asked, some: Sequence[Sequence[Question]]) -> None:
    timed = await asked.server.singly(asked.path(len(some[0])), _bodies(asked, some))
    cell.milliseconds.append(timed.milliseconds)
    _check(asked, some, timed)


async def _ask_busily(
    cell: Cell, asked: Asked, some: Sequence[Sequence[Question]], seconds: float
) -> None:
    """Ask all of them, and again for so many seconds: what was asked before may be asked often."""
    path, bodies = asked.path(len(some[0])), _bodies(asked, some)
    cpu = asked.cpu_seconds()
    rounds: list[Timed] = []
    while not rounds or sum(one.seconds for one in rounds) < seconds:
        rounds.append(await asked.server.busily(path, bodies))
    cell.cpu_seconds += asked.cpu_seconds() - cpu
    count = len(rounds) * sum(map(len, some))
    cell.decisions += count
    cell.per_second.append(count / sum(one.seconds for one in rounds))
    for timed in rounds:
        _check(asked, some, timed)


def _bodies(asked: Asked, some: Sequence[Sequence[Question]]) -> list[bytes]:
    return [asked.encode(one) for one in some]


def _check(asked: Asked, some: Sequence[Sequence[Question]], timed: Timed) -> None:
    for questions, answer in zip(some, timed.answers, strict=True):
        right = [asked.expected[one] for one in questions]
        check(asked.name, questions, right, asked.decode(answer))


def asked_service(
    name: str, server: Server, service: Service, expected: dict[Question, Decision]
) -> Asked:
    return Asked(
        name=name,
        server=server,
        path=lambda _: PATH,
        encode=encode,
        decode=decode,
        expected=expected,
        cpu_seconds=service.cpu_seconds,
    )


def encode(questions: Sequence[Question], *, at_least: int | None = None) -> bytes:
    asked = [
        {"member": member, "action": action, "account_id": account_id}
        for member, action, account_id in questions
    ]
    body: dict[str, Any] = {"questions": asked}
    return json.dumps(body if at_least is None else body | {"at_least": at_least}).encode()


def decode(answer: bytes) -> list[Decision]:
    return [
        Decision(one["allowed"], one["code"], one.get("way"))
        for one in json.loads(answer)["decisions"]
    ]


def token_of(place: Place, brand: str | None = None) -> Callable[[], str]:
    """Return what makes an administrator's token, which is the same one for a minute."""
    settings = place.backend_settings()
    if brand is not None:
        settings = settings.model_copy(update={"brand": brand})
    signer = Signer.of(settings)
    token, until = "", 0.0

    def valid() -> str:
        nonlocal token, until
        if monotonic() > until:
            token, until = signer.token(NAME), monotonic() + _TOKEN_SECONDS
        return token

    return valid


async def _warm_up(place: Place, service: Service) -> None:
    async with connected(
        service.port, connections=CONNECTIONS, token=token_of(place, _ELSEWHERE)
    ) as server:
        await server.busily(PATH, [encode([("nobody", "use", "nothing")])] * _WARM_UP)
