"""A rollout: one account's way to one version, and what it still waits for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from keyturn_contracts.proof import SignedCommand
from keyturn_contracts.workflow import (
    NAMED,
    EngineKind,
    ExcusedLeg,
    OverrideRollout,
    OverrideRolloutReason,
    RolloutChanged,
    RolloutCompleted,
    RolloutEnded,
    RolloutOverdue,
    RolloutProgressed,
    RolloutStarted,
    RolloutState,
    WaitingLeg,
    WhyWaiting,
)

from services.workflow.rules.account import Account
from services.workflow.rules.engine import ADMINISTRATOR, Retirement
from services.workflow.rules.evidence import verbatim
from services.workflow.rules.holding import Holding
from shared.decisions import Applied, Decision, Refused, Unchanged
from shared.messaging.envelope import Asked

R = TypeVar("R", bound=RolloutChanged)
ENDED: frozenset[RolloutState] = frozenset({"completed", "superseded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How long things take before somebody hears of them again."""

    deadline: timedelta
    """After it a rollout is overdue."""
    progress: timedelta
    """At least this long between two announcements of progress."""
    ask_again: timedelta
    """After it late legs are asked again; each time after twice as long."""
    ask_at_most: timedelta
    """The longest such pause."""
    look_again: timedelta
    """However quiet it is: what nobody woke it for is found by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excuse:
    """An engine that the rollout does not wait for, because someone with the right said so."""

    by: str
    reason: str
    command: SignedCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    account_id: str
    version: int
    account_epoch: int
    state: RolloutState = "open"
    opened_at: datetime
    deadline: datetime
    leases: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    """The end of each leasing engine's last lease on an older version, as it was opened."""
    excused: Mapping[str, Excuse] = field(default_factory=dict[str, Excuse])
    """By name, for this rollout alone."""
    asked: int = 1
    asked_at: datetime
    announced_at: datetime
    view: "View"
    """As last announced."""
    completed_at: datetime | None = None
    proof_sha256: str | None = None

    @property
    def id(self) -> str:
        return f"{self.account_id}.{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """An engine that holds credentials of the account, or has an allowed binding of it, now."""

    engine_id: str
    kind: EngineKind
    is_holder: bool
    is_bound: bool
    holding: Holding
    retirement: Retirement | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What everybody may know of how far it is."""

    legs: int = 0
    done: int = 0
    waiting: tuple[WaitingLeg, ...] = ()
    """The first 100, counted from another one each time that they are asked."""
    excused: tuple[ExcusedLeg, ...] = ()


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at a rollout came to."""

    rollout: Rollout
    events: tuple[RolloutChanged, ...]
    look_at: datetime
    """When to look again, whatever happens."""


@dataclass(frozen=True, slots=True)
class Count:
    """Every leg as it is at one moment."""

    done: tuple[Leg, ...]
    waiting: tuple[WaitingLeg, ...]
    excused: tuple[ExcusedLeg, ...]
    legs: int

    @property
    def is_complete(self) -> bool:
        return not self.waiting


def open_rollout(account: Account, legs: Iterable[Leg], now: datetime, rhythm: Rhythm) -> Looked:
    """Begin the way to the account's version, with the legs as they are now."""
    rollout = Rollout(
        account_id=account.id,
        version=account.version,
        account_epoch=account.epoch,
        opened_at=now,
        deadline=now + rhythm.deadline,
        leases={one: until for one, until in account.holders.items() if until is not None},
        asked_at=now,
        announced_at=now,
        view=View(),
    )
    count = count_legs(rollout, account, legs, now)
    opened = replace(rollout, view=view_of(rollout, count))
    return Looked(opened, (_event(RolloutStarted, opened),), _look_at(opened, count, now, rhythm))


def supersede(rollout: Rollout) -> tuple[Rollout, RolloutEnded]:
    """End it for a later one: it retires nothing."""
    ended = replace(rollout, state="superseded")
    return ended, _event(RolloutEnded, ended)


def complete(
    rollout: Rollout, count: Count, proof_sha256: str, now: datetime
) -> tuple[Rollout, RolloutCompleted]:
    completed = replace(
        rollout,
        state="completed",
        view=view_of(rollout, count),
        completed_at=now,
        proof_sha256=proof_sha256,
    )
    return completed, _event(RolloutCompleted, completed)


def look(rollout: Rollout, count: Count, now: datetime, rhythm: Rhythm) -> Looked:
    """Say what is new of a rollout that is not complete: overdue, asked again, or further on."""
    is_overdue = rollout.state == "open" and now >= rollout.deadline
    is_asked = _can_be_asked(count) and now >= _ask_at(rollout, rhythm)
    if is_overdue:
        rollout = replace(rollout, state="overdue")
    if is_asked:
        rollout = replace(rollout, asked=rollout.asked + 1, asked_at=now)
    view = view_of(rollout, count)
    is_news = view != rollout.view
    next_progress = rollout.announced_at + rhythm.progress
    if not (is_overdue or is_asked or (is_news and now >= next_progress)):
        look_at = _look_at(rollout, count, now, rhythm)
        return Looked(rollout, (), min(look_at, next_progress) if is_news else look_at)
    seen = replace(rollout, view=view, announced_at=now)
    event = _event(RolloutOverdue if is_overdue else RolloutProgressed, seen)
    return Looked(seen, (event,), _look_at(seen, count, now, rhythm))


def count_legs(rollout: Rollout, account: Account, legs: Iterable[Leg], now: datetime) -> Count:
    """Count the legs as they are now. An engine that was retired by name is none."""
    done: list[Leg] = []
    waiting: list[WaitingLeg] = []
    excused = {
        engine_id: ExcusedLeg(engine_id=engine_id, by=one.by, reason=one.reason)
        for engine_id, one in rollout.excused.items()
    }
    count = 0
    for leg in sorted(legs, key=lambda leg: leg.engine_id):
        if leg.retirement is not None:
            by, reason = leg.retirement.by, leg.retirement.reason
            excused[leg.engine_id] = ExcusedLeg(engine_id=leg.engine_id, by=by, reason=reason)
            continue
        count += 1
        why = why_waiting(rollout, account, leg, now)
        if why is None:
            done.append(leg)
        elif leg.engine_id not in rollout.excused:
            waiting.append(WaitingLeg(engine_id=leg.engine_id, why=why))
    by_name = tuple(excused[one] for one in sorted(excused))
    return Count(tuple(done), tuple(waiting), by_name, count)


def why_waiting(rollout: Rollout, account: Account, leg: Leg, now: datetime) -> WhyWaiting | None:
    """Return why a leg is not done, or None where it is: from what is so now, never from events.

    An engine that leases promises to use nothing beyond its lease, so its end is all there is.
    """
    if leg.kind == "leasing":
        until = rollout.leases.get(leg.engine_id)
        return None if until is None or until <= now else "lease"
    holding = leg.holding
    if holding.confirmed_version < rollout.version:
        return "unconfirmed"
    if holding.vanished_count:
        return "vanished"
    if holding.failed_count:
        return "failed"
    if holding.is_named_since or (account.is_deleted and holding.confirmed_holds):
        return "unconfirmed"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overridable:
    """A rollout, with what else decides whether it may be overridden."""

    rollout: Rollout
    owners: frozenset[str]
    """Of the account, those among who ask. A copy: read here, never saved from here."""
    engines: frozenset[str]
    """Of the engines that the commands at hand name, those that exist."""


def decide_override(
    state: Overridable | None, asked: Asked[OverrideRollout]
) -> Decision[Overridable, OverrideRolloutReason]:
    """Excuse engines by name, on the record. To who may not, no rollout is known."""
    is_administrator = ADMINISTRATOR in asked.actor.roles
    if state is None or not (is_administrator or asked.actor.subject in state.owners):
        if state is None and is_administrator:
            return Refused("rollout_unknown", "There is no such rollout in your brand.")
        return Refused(
            "not_allowed", "Only an owner of the account or an administrator may override."
        )
    rollout = state.rollout
    if rollout.state in ENDED:
        return Refused("rollout_ended", f"The rollout is {rollout.state}: nothing waits for it.")
    if unknown := [one for one in asked.command.engines if one not in state.engines]:
        named = ", ".join(unknown[:10])
        return Refused("engine_unknown", f"There is no such engine in your brand: {named}.")
    new = [one for one in asked.command.engines if one not in rollout.excused]
    if not new:
        return Unchanged("These engines are excused already.")
    excuse = Excuse(by=asked.actor.subject, reason=asked.command.reason, command=verbatim(asked))
    excused = {**rollout.excused, **dict.fromkeys(new, excuse)}
    view = replace(
        rollout.view,
        waiting=tuple(one for one in rollout.view.waiting if one.engine_id not in excused),
        excused=tuple(
            sorted(
                (
                    *(one for one in rollout.view.excused if one.engine_id not in new),
                    *(ExcusedLeg(engine_id=one, by=excuse.by, reason=excuse.reason) for one in new),
                ),
                key=lambda one: one.engine_id,
            )
        ),
    )
    overridden = replace(rollout, excused=excused, view=view)
    event = _event(RolloutProgressed, overridden)
    return Applied(replace(state, rollout=overridden), (event,))


def view_of(rollout: Rollout, count: Count) -> View:
    """Return what is told: of many that wait other ones are named each time that they are asked."""
    first = ((rollout.asked - 1) * NAMED) % max(len(count.waiting), 1)
    named = (*count.waiting[first:], *count.waiting[:first])[:NAMED]
    return View(count.legs, len(count.done), named, count.excused)


def _can_be_asked(count: Count) -> bool:
    return any(one.why != "lease" for one in count.waiting)


def _ask_at(rollout: Rollout, rhythm: Rhythm) -> datetime:
    # Beyond 2^20 it is the longest pause in any case.
    pause = rhythm.ask_again * 2 ** min(rollout.asked - 1, 20)
    return rollout.asked_at + min(pause, rhythm.ask_at_most)


def _look_at(rollout: Rollout, count: Count, now: datetime, rhythm: Rhythm) -> datetime:
    moments = [now + rhythm.look_again, *(one for one in rollout.leases.values() if one > now)]
    if rollout.state == "open":
        moments.append(rollout.deadline)
    if _can_be_asked(count):
        moments.append(_ask_at(rollout, rhythm))
    return min(moments)


def _event(kind: type[R], rollout: Rollout) -> R:
    view = rollout.view
    return kind(
        rollout_id=rollout.id,
        account_id=rollout.account_id,
        version=rollout.version,
        account_epoch=rollout.account_epoch,
        state=rollout.state,
        opened_at=rollout.opened_at,
        deadline=rollout.deadline,
        legs=view.legs,
        done=view.done,
        waiting=view.waiting,
        excused=view.excused,
        asked=rollout.asked,
        proof_sha256=rollout.proof_sha256,
    )
