"""Works a batch's commands off in rounds, so that statements do not count the commands."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from keyturn_contracts.message import Command, Event, Key
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.decisions import AppliedToMany, Decision, NotYetKnown, Refused, Unprocessable
from shared.messaging.envelope import Asked
from shared.messaging.failures import Parted, do_all_or_each
from shared.messaging.handlers import Aggregate, ApplyBulk, BulkCommand, DecidedCommand, Handlers
from shared.messaging.outcomes import AnyDecision, events_of, state_of


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """A command whose turn has come; the same command may have several."""

    asked: Asked[Command]
    is_dropped: bool = False
    """An operator gave it up: the entry's `drop` decides, or it is refused as `dropped`."""
    has_waited: bool = False
    """It has waited long enough: `NotYetKnown` becomes what it is otherwise."""
    is_unlisted: bool = False
    """Who asks is missing from their brand's list of members, as far as its news has come."""


@dataclass(frozen=True, slots=True)
class Held:
    """A command that cannot be applied now. Without a cause it queues behind another of its key."""

    turn: Turn
    cause: Exception | None


@dataclass(slots=True)
class Work:
    """What the rounds have come to."""

    decisions: dict[Turn, AnyDecision] = field(default_factory=dict[Turn, AnyDecision])
    events: list[tuple[Turn, Event]] = field(default_factory=list[tuple[Turn, Event]])
    held: list[Held] = field(default_factory=list[Held])
    held_keys: set[Key] = field(default_factory=set[Key])

    def hold(self, turn: Turn, cause: Exception | None) -> None:
        self.held.append(Held(turn, cause))
        self.held_keys.add(turn.asked.key)

    def conclude(self, turn: Turn, decision: AnyDecision) -> None:
        self.decisions[turn] = decision
        self.events += [(turn, event) for event in events_of(decision)]


class NoHandler(Unprocessable):
    """No handler of this service takes this command; the parser should have said so."""


_FOR_ROLES = frozenset({"not_an_administrator", "not_allowed"})
"""Reasons to refuse that news of a registration may take away: it is waited for, a moment."""
_DROPPED: Refused[Any, str] = Refused(
    "dropped", "It could not be applied, and an operator gave it up. Send it again if it matters."
)


async def work_off(
    connection: AsyncConnection, handlers: Handlers, turns: Sequence[Turn], work: Work
) -> None:
    """Decide and apply commands, those of one key in their order.

    A round takes of every key its longest run for one handler: all of a round's commands about one
    kind of aggregate are locked, decided and saved together, and so are all of one bulk's. What
    came before a bulk is saved when it reads. What raises holds its key.
    """
    left = list(turns)
    while left:
        runs, left = _next_round(handlers, left, work)
        # Aggregates in the order of the table of contents, which is the order of locks.
        for aggregate in handlers.aggregates:
            if aggregate in runs:
                await _decide(connection, handlers, aggregate, runs[aggregate], work)
        for bulk in handlers.bulks.values():
            if (bulk, "apply") in runs:
                await _apply_bulk(connection, bulk.apply, runs[bulk, "apply"], work)
            if bulk.drop is not None and (bulk, "drop") in runs:
                await _apply_bulk(connection, bulk.drop, runs[bulk, "drop"], work)


def _next_round(
    handlers: Handlers, turns: Sequence[Turn], work: Work
) -> tuple[dict[Hashable, list[Turn]], list[Turn]]:
    """Return what each handler gets in this round, and what is left for the next ones."""
    runs: dict[Hashable, list[Turn]] = {}
    left: list[Turn] = []
    handler_of: dict[Key, Hashable] = {}
    ended: set[Key] = set()
    for turn in turns:
        key = turn.asked.key
        if key in work.held_keys:
            work.hold(turn, None)
            continue
        handler = _handler_of(handlers, turn)
        if key in ended or handler_of.setdefault(key, handler) != handler:
            ended.add(key)
            left.append(turn)
        elif handler == "dropped":
            work.conclude(turn, _DROPPED)
        elif handler is None:
            work.hold(turn, NoHandler())
        else:
            runs.setdefault(handler, []).append(turn)
    return runs, left


def _handler_of(handlers: Handlers, turn: Turn) -> Hashable:
    command = type(turn.asked.command)
    decided: DecidedCommand[Any, Any] | None = handlers.decided.get(command)
    bulk: BulkCommand[Any] | None = handlers.bulks.get(command)
    if decided is not None:
        # A dropped one without a rule of its own is decided too: in its place, on the same lock.
        return decided.aggregate
    if bulk is None:
        return None
    if not turn.is_dropped:
        return bulk, "apply"
    return (bulk, "drop") if bulk.drop is not None else "dropped"


async def _decide(
    connection: AsyncConnection,
    handlers: Handlers,
    aggregate: Aggregate[Any],
    turns: Sequence[Turn],
    work: Work,
) -> None:
    states = await aggregate.lock(connection, _by_key(turn.asked for turn in turns))
    changed: dict[Key, Any] = {}
    for turn in turns:
        key = turn.asked.key
        if key in work.held_keys:
            work.hold(turn, None)
            continue
        try:
            decision = _decision(handlers, turn, states.get(key))
        except Exception as cause:  # noqa: BLE001  whatever it is, it concerns this message alone
            work.hold(turn, cause)
            continue
        state = state_of(decision)
        if state is not None:
            states[key] = changed[key] = state
        work.conclude(turn, decision)
    if changed:
        await aggregate.save(connection, changed)


def _decision(handlers: Handlers, turn: Turn, state: Any) -> Decision[Any, str]:
    entry = handlers.decided[type(turn.asked.command)]
    decide = entry.drop if turn.is_dropped else entry.decide
    if decide is None:
        return _DROPPED
    try:
        return _as_far_as_known(turn, decide(state, turn.asked))
    except NotYetKnown as unknown:
        if not turn.has_waited:
            raise
        return unknown.otherwise


def _as_far_as_known(turn: Turn, decision: Decision[Any, str]) -> Decision[Any, str]:
    if turn.is_unlisted and isinstance(decision, Refused) and decision.reason in _FOR_ROLES:
        raise NotYetKnown(decision)
    return decision


def _by_key(asked: Iterable[Asked[Command]]) -> dict[Key, list[Asked[Command]]]:
    by_key: dict[Key, list[Asked[Command]]] = {}
    for one in asked:
        by_key.setdefault(one.key, []).append(one)
    return by_key


_BulkAnswers = Sequence[AppliedToMany | Refused[object, str]]


async def _apply_bulk(
    connection: AsyncConnection, apply: ApplyBulk[Any], turns: Sequence[Turn], work: Work
) -> None:
    def is_behind(turn: Turn, parted: Parted[Turn, _BulkAnswers]) -> bool:
        return any(failed.asked.key == turn.asked.key for failed, _ in parted.failed)

    parted = await do_all_or_each(
        connection, turns, partial(_answers, connection, apply), is_blocked=is_behind
    )
    for applied, answers in parted.done:
        for turn, answer in zip(applied, answers, strict=True):
            work.conclude(turn, answer)
    causes = dict(parted.failed)
    for turn in turns:
        if turn in work.decisions:
            continue
        cause = causes.get(turn)
        if isinstance(cause, NotYetKnown) and turn.has_waited:
            work.conclude(turn, cause.otherwise)
        else:
            work.hold(turn, cause)


async def _answers(
    connection: AsyncConnection, apply: ApplyBulk[Any], turns: Sequence[Turn]
) -> _BulkAnswers:
    answers = await apply(connection, [turn.asked for turn in turns])
    if len(answers) != len(turns):
        raise TypeError("A bulk gives one answer for each of its commands, in their order.")
    return answers
