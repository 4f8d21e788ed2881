"""A grant: what one member, or everyone, has of one account, or had."""

from dataclasses import dataclass, replace
from datetime import datetime

from keyturn_contracts import rights
from keyturn_contracts.access import (
    AccessGranted,
    AccessRevoked,
    GrantChanged,
    GrantState,
    HowGranted,
    Level,
    WhyEnded,
)

GrantKey = tuple[str, str, str]
"""A brand, an account, and a member or everyone."""
NOBODY = "keyturn"
"""In `by`: the service itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Its state is what is told of it."""

    level: Level
    state: GrantState = "granted"
    how: HowGranted = "granted"
    by: str
    """Who gave it; of an ended one who ended it."""
    since: datetime
    """When it became what it is."""
    until: datetime | None = None
    why_ended: WhyEnded | None = None

    def holds_at(self, moment: datetime) -> bool:
        """Tell whether it counts: the moment it has run out it does not, told or not."""
        return self.state == "granted" and self.fact.holds_at(moment)

    @property
    def is_owning(self) -> bool:
        """Whether it is an owner's and was not ended; it may have run out."""
        return (self.level, self.state) == ("owner", "granted")

    @property
    def fact(self) -> rights.Grant:
        """Return as much of it as decides; of one that is not ended."""
        return rights.Grant(level=self.level, until=self.until)


def ended(grant: Grant, why: WhyEnded, *, at: datetime, by: str = NOBODY) -> Grant:
    return replace(grant, state="ended", why_ended=why, since=at, by=by)


def event_about(account_id: str, member: str, grant: Grant) -> GrantChanged:
    """Return what everybody is told: the whole state."""
    kind = AccessGranted if grant.state == "granted" else AccessRevoked
    return kind(
        account_id=account_id,
        member=member,
        level=grant.level,
        state=grant.state,
        how=grant.how,
        by=grant.by,
        since=grant.since,
        until=grant.until,
        why_ended=grant.why_ended,
    )
