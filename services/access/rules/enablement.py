"""An enablement: whether one member, or everyone, may use one extension of a third party."""

from dataclasses import dataclass
from datetime import datetime

from keyturn_contracts.access import (
    EnablementChanged,
    EnablementState,
    ExtensionDisabled,
    ExtensionEnabled,
    WhyEnded,
)

from services.access.rules.grant import NOBODY

EnablementKey = tuple[str, str, str]
"""A brand, an extension, and a member or everyone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enablement:
    """Its state is what is told of it."""

    state: EnablementState = "enabled"
    by: str
    since: datetime
    """When it became what it is."""
    why_ended: WhyEnded | None = None

    @property
    def is_enabled(self) -> bool:
        return self.state == "enabled"


def disabled(why: WhyEnded, *, at: datetime, by: str = NOBODY) -> Enablement:
    return Enablement(state="disabled", by=by, since=at, why_ended=why)


def event_about(extension: str, member: str, enablement: Enablement) -> EnablementChanged:
    """Return what everybody is told: the whole state."""
    kind = ExtensionEnabled if enablement.is_enabled else ExtensionDisabled
    return kind(
        extension=extension,
        member=member,
        state=enablement.state,
        by=enablement.by,
        since=enablement.since,
        why_ended=enablement.why_ended,
    )
