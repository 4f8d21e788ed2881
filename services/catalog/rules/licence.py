"""Which extensions a brand may see and use: those named, and those of its plans."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from keyturn_contracts.catalog import LicenceChanged, SetLicence, SetLicenceReason

from services.catalog.rules.extension import OPERATOR
from shared.decisions import Applied, Decision, Refused, Unchanged
from shared.messaging.envelope import Asked

Plans = Mapping[str, frozenset[str]]
"""The slugs of each plan, by its name."""
_MOST_NAMED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """What a brand has. All of it sorted, so that equal licences are equal."""

    extensions: tuple[str, ...] = ()
    """Named one by one."""
    plans: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()
    """Those named and those of the plans."""
    set_by: str
    set_at: datetime

    @property
    def event(self) -> LicenceChanged:
        return LicenceChanged(extensions=self.covers, plans=self.plans)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A brand's licence, and what may be in one."""

    licence: Licence | None = None
    plans: Plans = field(default_factory=dict[str, frozenset[str]])
    known: frozenset[str] = frozenset()
    """Of the slugs that are named, those of extensions that were ever published."""


def decide_licence(desk: Desk | None, asked: Asked[SetLicence]) -> Decision[Desk, SetLicenceReason]:
    """Give a brand exactly this. One name that nobody knows, and nothing is changed.

    A retired extension may be named: who has it keeps it.
    """
    desk = desk or Desk()
    if OPERATOR not in asked.actor.roles:
        return Refused("not_an_operator", "Only an operator of the platform sets a licence.")
    extensions, plans = set(asked.command.extensions), set(asked.command.plans)
    if unknown := extensions - desk.known:
        return Refused(
            "extension_unknown",
            f"No extension is called {_named(unknown)}: nothing was changed. "
            "GET /v1/extensions lists their slugs.",
        )
    if unknown := plans - desk.plans.keys():
        there_are = _named(desk.plans) if desk.plans else "none"
        return Refused(
            "plan_unknown",
            f"No plan is called {_named(unknown)}: nothing was changed. There are: {there_are}.",
        )
    covers = covered(extensions, plans, desk.plans)
    before = desk.licence
    after = Licence(
        extensions=tuple(sorted(extensions)),
        plans=tuple(sorted(plans)),
        covers=covers,
        set_by=asked.actor.subject,
        set_at=asked.at,
    )
    if before is not None and before.extensions == after.extensions and before.plans == after.plans:
        return Unchanged("The brand's licence is exactly this already.")
    return Applied(Desk(licence=after, plans=desk.plans, known=desk.known), (after.event,))


def covered(extensions: Iterable[str], plans: Iterable[str], known: Plans) -> tuple[str, ...]:
    """Return everything that a licence covers, sorted."""
    return tuple(sorted(set(extensions).union(*(known.get(plan, ()) for plan in plans))))


def _named(names: Iterable[str]) -> str:
    names = sorted(names)
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
