"""Measures decisions about access: in process, over HTTP, after a revocation, in bulk."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import uvloop
from keyturn_client import Backend, Replica
from keyturn_contracts.rights import Decision, decide

from deploy.bench.access import (
    bulk,
    by_casbin,
    by_openfga,
    in_process,
    openfga_process,
    over_http,
    report,
    revoking,
)
from deploy.bench.access.asking import connected
from deploy.bench.access.data import Data, Moments, Question, generated_data, generated_questions
from deploy.bench.access.place import Place, running_place
from deploy.bench.access.sizing import size_of_replica
from deploy.bench.access.telling import tell
from deploy.bench.figures import machine, write
from shared.cli.output import say

_CASBIN_ASKED = {"casbin": 30, "casbin_by_account": 300}
"""How many questions it is asked: it takes up to tens of milliseconds for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much of everything there is, and how often it is measured."""

    members: int = 1000
    accounts: int = 100
    grants: int = 50
    """To each account."""
    crowd: int = 100_000
    revocations: int = 60
    requests: int = 60
    """In each size of batch, singly and over all connections."""
    repeats: int = 3

    def data(self) -> Data:
        return generated_data(
            members=self.members,
            accounts=self.accounts,
            grants=self.grants,
            leavers=self.revocations,
            crowd=self.crowd,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What everybody who answers is given, and what is right."""

    data: Data
    moments: Moments
    at: datetime
    questions: list[Question]
    decisions: dict[Question, Decision]


def measure(folder: Path, *, sizes: Sizes, openfga: bool, output: Path | None) -> dict[str, Any]:
    """Run everything on a stack of its own, write the figures where a file is named, return them.

    Whoever answers is asked the same; an answer that differs raises `WrongAnswerError`.
    """
    # It warns of a password in clear at each connection, which here ends at the loopback.
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    before = machine()
    program = openfga_process.build() if openfga else None
    with running_place(folder) as place:
        figures = uvloop.run(_measure(place, sizes, program))
    found = {
        "command": "keyturn bench access",
        "machine": {**before, "load_after": round(os.getloadavg()[0], 2)},
        "beside": {
            "casbin": by_casbin.its_version() if by_casbin.is_there() else None,
            "openfga": openfga_process.VERSION if program is not None else None,
        },
        "left_out": list(_left_out(program, asked=openfga)),
        **figures,
    }
    if output is not None:
        write(output, found)
    return found


def _left_out(program: Path | None, *, asked: bool) -> list[str]:
    sentences: list[str] = []
    if not by_casbin.is_there():
        sentences.append(by_casbin.HOW_TO)
    if asked and program is None:
        sentences.append(openfga_process.HOW_TO)
    return sentences


async def _measure(place: Place, sizes: Sizes, program: Path | None) -> dict[str, Any]:
    data = sizes.data()
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(Backend(place.backend_settings()))
        say(f"{sizes.members:,} members, {sizes.accounts:,} accounts: telling them")
        moments = await tell(place, backend, data)
        known = _known(data, moments, sizes)
        replica = await stack.enter_async_context(Replica(place.replica_settings()))
        store = await stack.enter_async_context(_openfga(place, known, program))
        judged = _measure_in_process(known, replica, sizes)
        cells = await over_http.measure_services(
            place,
            known.questions,
            known.decisions,
            requests=sizes.requests,
            repeats=sizes.repeats,
            others=[one.asked_as(name, known.decisions) for name, one in store.items()],
        )
        revoked = await revoking.measure(place, backend, replica, data)
        if store:
            revoked["openfga"] = await by_openfga.measure_revoking(store["openfga"], data)
        many, size = await _measure_many(
            place, backend, replica, known=known, sizes=sizes, store=store
        )
        resident = {one.settings.stem: one.resident_bytes() for one in place.services}
        resident |= {name: one.process.resident_bytes() for name, one in store.items()}
    return report.figures(
        data=report.shape(data, known.questions),
        in_process=judged,
        cells=cells,
        revoking=revoked,
        bulk=many,
        replica=size,
        resident=resident,
    )


def _known(data: Data, moments: Moments, sizes: Sizes) -> Known:
    facts, at = data.facts(moments), datetime.now(UTC)
    wanted = 2 * sizes.requests * sum(over_http.SIZES)
    questions = generated_questions(data, wanted)
    return Known(
        data=data,
        moments=moments,
        at=at,
        questions=questions,
        decisions={one: decide(facts, *one, at) for one in questions},
    )


def _measure_in_process(
    known: Known, replica: Replica, sizes: Sizes
) -> dict[str, list[list[float]]]:
    say("in process")
    facts, all_of_them = known.data.facts(known.moments), len(known.questions)
    judges = {
        "rule": (in_process.rule(facts, known.at), all_of_them),
        "rule_with_sentences": (in_process.rule_with_sentences(facts, known.at), all_of_them),
        "replica": (in_process.replicas(replica), all_of_them),
        "plain_sets": (in_process.plain_sets(facts, known.at), all_of_them),
    }
    if by_casbin.is_there():
        for name, most in _CASBIN_ASKED.items():
            enforcer = by_casbin.Casbin(facts, looks_up=name == "casbin_by_account")
            judges[name] = (enforcer.judge_at(known.at), most)
    expected = [known.decisions[one].allowed for one in known.questions]
    return in_process.measure(judges, known.questions, expected, repeats=sizes.repeats)


@asynccontextmanager
async def _openfga(
    place: Place, known: Known, program: Path | None
) -> AsyncGenerator[dict[str, by_openfga.OpenFga]]:
    """Yield its processes with the data in them, none where it is left out."""
    if program is None:
        yield {}
        return
    async with AsyncExitStack() as stack:
        processes = stack.enter_context(openfga_process.running(place, program))
        stores: dict[str, by_openfga.OpenFga] = {}
        for name, process in processes.items():
            server = await stack.enter_async_context(
                connected(process.port, connections=over_http.CONNECTIONS)
            )
            if not stores:
                say("OpenFGA: telling it the same")
                stores[name] = await by_openfga.OpenFga.make_store(server, process)
                await stores[name].write(by_openfga.tuples_of(known.data, known.moments))
            else:
                stores[name] = stores["openfga"].seen_by(server, process)
        yield stores


async def _measure_many(
    place: Place,
    backend: Backend,
    replica: Replica,
    *,
    known: Known,
    sizes: Sizes,
    store: Mapping[str, by_openfga.OpenFga],
) -> tuple[bulk.Taken, dict[str, Any]]:
    file = place.data.root / "replica.json"

    def weigh() -> dict[str, int]:
        return size_of_replica(place.replica_settings(), file)

    before, after = await asyncio.to_thread(weigh), dict[str, int]()
    taken = await bulk.measure(
        place,
        backend,
        replica,
        known.data,
        repeats=sizes.repeats,
        granted=lambda: after.update(weigh()),
    )
    for _ in range(sizes.repeats):
        if store:
            found = await by_openfga.measure_bulk(store["openfga"], known.data)
            for what, seconds in found.items():
                taken.setdefault(what, []).append(seconds)
        if by_casbin.is_there():
            for what, seconds in _casbin_in_bulk(known).items():
                taken.setdefault(what, []).append(seconds)
    return taken, report.replica_size(before, after, sizes.crowd)


def _casbin_in_bulk(known: Known) -> dict[str, float]:
    """In its memory alone, and by the enforcer that looks policies up: the other takes hours."""
    data = known.data
    enforcer = by_casbin.Casbin(data.facts(known.moments), looks_up=True)
    extension = data.accounts[data.crowded]
    policies = [by_casbin.policy(one, data.crowded, extension) for one in data.crowd]
    began = perf_counter()
    enforcer.grant(policies)
    granted = perf_counter()
    enforcer.revoke(policies)
    return {"grant_casbin": granted - began, "revoke_casbin": perf_counter() - granted}
