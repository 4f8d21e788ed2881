"""Whether a copy has heard what a command led to. Pure."""

from keyturn_contracts.installation import AboutInstallation
from keyturn_contracts.message import AnnouncedEvent, CommandApplied

from keyturn_client.replica.access import AccessCopy
from keyturn_client.replica.installations import Installations
from keyturn_client.replica.told import TOLD

SERVICES = ("installation", "credential-vault", "access")
"""Whose events are followed."""

AtLeast = CommandApplied | int
"""An outcome, or the access service's revision alone, of which only that service knows."""

_FOLLOWED = tuple(f"keyturn.{one}." for one in SERVICES)
_ACCESS = "keyturn.access."
_MOST_NAMED = 100
"""How many events an outcome names; where it names so many there may be more."""


def has_heard(at_least: AtLeast, access: AccessCopy, installations: Installations) -> bool:
    """Tell whether all of it is heard that decides about access.

    A ValueError where it is the outcome of a service whose events are not followed.
    """
    # Events carry no revision; and an outcome that names so many may not name all.
    if isinstance(at_least, int) or len(at_least.events) >= _MOST_NAMED:
        return False
    return all(_has_heard_of(one, access, installations) for one in at_least.events)


def is_of_access(at_least: AtLeast | None) -> bool:
    """Tell whether the access service knows of it; of other services' news it may not yet."""
    if not isinstance(at_least, CommandApplied):
        return True
    return all(one.type.startswith(_ACCESS) for one in at_least.events)


def _has_heard_of(event: AnnouncedEvent, access: AccessCopy, installations: Installations) -> bool:
    if not event.type.startswith(_FOLLOWED):
        raise ValueError(f"Nothing is heard here of what was announced as {event.type}.")
    kind, _, id_ = event.subject.partition("/")
    if kind == AboutInstallation.kind:
        held = installations.get(id_)
        return held is not None and held.position[1] >= event.sequence
    # Of other kinds no decision rests on them.
    return kind not in TOLD or access.sequence_of(event.subject) >= event.sequence
