"""Ends what a `Later` began: a job's conclusion becomes effect, events and outcome."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from keyturn_contracts.message import AnnouncedEvent, Command, Event, Key
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.decisions import Decision
from shared.messaging import inbox
from shared.messaging.envelope import CommandId
from shared.messaging.failures import do_all_or_each
from shared.messaging.handlers import Aggregate
from shared.messaging.inbox import Open
from shared.messaging.outbox import (
    Announced,
    Announcement,
    Reply,
    announce_all,
    revision_after,
)
from shared.messaging.outcomes import AnyOutcome, events_of, outcome_of, state_of

S = TypeVar("S")
Finding = TypeVar("Finding")


@dataclass(slots=True)
class Settled:
    """What conclusions have come to."""

    answers: list[tuple[CommandId, AnyOutcome]] = field(
        default_factory=list[tuple[CommandId, AnyOutcome]]
    )
    announced: list[AnnouncedEvent] = field(default_factory=list[AnnouncedEvent])
    failed: dict[Key, Exception] = field(default_factory=dict[Key, Exception])
    """Conclusions that raised, or could not be saved: nothing of theirs stands.

    Report them; their leases run out, and they are tried again.
    """


async def settle(
    connection: AsyncConnection,
    aggregate: Aggregate[S],
    command: type[Command],
    findings: Mapping[Key, Finding],
    conclude: Callable[[S | None, Finding], Decision[S, str]],
) -> Settled:
    """Conclude what was found, in the caller's transaction: effect, events and outcomes.

    Everyone whose command of this type is open gets the outcome, and the first who asked is what
    the events were caused by. A conclusion that is `Later` again leaves them waiting. One that
    raises, or whose state cannot be saved, spoils only itself.
    """
    settled = Settled()
    keys = sorted(findings)
    if not keys:
        return settled

    async def settle_some(some: Sequence[Key]) -> Settled:
        chosen = {key: findings[key] for key in some}
        return await _settle(connection, aggregate, command, chosen, conclude)

    parted = await do_all_or_each(connection, keys, settle_some)
    settled.failed.update(parted.failed)
    for _, part in parted.done:
        settled.answers += part.answers
        settled.announced += part.announced
        settled.failed.update(part.failed)
    return settled


async def _settle(
    connection: AsyncConnection,
    aggregate: Aggregate[S],
    command: type[Command],
    findings: Mapping[Key, Finding],
    conclude: Callable[[S | None, Finding], Decision[S, str]],
) -> Settled:
    settled = Settled()
    states = await aggregate.lock(connection, dict.fromkeys(findings, ()))
    decisions: dict[Key, Decision[S, str]] = {}
    for key, finding in findings.items():
        try:
            decisions[key] = conclude(states.get(key), finding)
        except Exception as cause:  # noqa: BLE001  whatever it is, it concerns this one alone
            settled.failed[key] = cause
    changed = {
        key: state
        for key, decision in decisions.items()
        if (state := state_of(decision)) is not None
    }
    if changed:
        await aggregate.save(connection, changed)
    if not decisions:
        return settled

    waiting = await inbox.load_open(connection, command, decisions)
    events = [(key, event) for key, decision in decisions.items() for event in events_of(decision)]
    announced = await announce_all(
        connection, [_announcement(key, event, waiting) for key, event in events], ()
    )
    settled.announced += [one.event for one in announced]
    by_key: dict[Key, list[Announced]] = {}
    for (key, _), one in zip(events, announced, strict=True):
        by_key.setdefault(key, []).append(one)
    revision = await revision_after(connection, announced)
    answers: list[Reply] = []
    for key, decision in decisions.items():
        outcome = outcome_of(command.__name__, decision, by_key.get(key, ()), revision)
        if outcome is not None:
            answers += map(partial(_reply, key, command.service, outcome), waiting.get(key, ()))
    if answers:
        await inbox.close(connection, {one.command: one.outcome for one in answers})
        settled.answers += [(one.command, one.outcome) for one in answers]
    if replies := [one for one in answers if one.is_wanted]:
        await announce_all(connection, (), replies)
    return settled


def _announcement(key: Key, event: Event, waiting: Mapping[Key, Sequence[Open]]) -> Announcement:
    first = next(iter(waiting.get(key, ())), None)
    if first is None:
        return Announcement(event, key.brand)
    return Announcement(event, key.brand, first.id, trace_parent=first.trace_parent)


def _reply(key: Key, service: str, outcome: AnyOutcome, one: Open) -> Reply:
    return Reply(one.id, key, service, outcome, one.wants_reply, one.trace_parent)
