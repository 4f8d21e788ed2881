"""Whether a copy has heard what a command led to. Pure."""

from keyturn_contracts.access import GrantAccess
from keyturn_contracts.installation import AboutInstallation
from keyturn_contracts.message import AnnouncedEvent, CommandApplied
from keyturn_contracts.registry import COMMANDS

from keyturn_client.replica.access import AccessCopy
from keyturn_client.replica.installations import Installations
from keyturn_client.replica.told import TOLD

SERVICES = ("installation", "credential-vault", "access")
"""Whose events are followed."""

AtLeast = CommandApplied | int
"""An outcome, or the access service's revision alone, of which only that service knows."""

_FOLLOWED = tuple(f"keyturn.{one}." for one in SERVICES)
_ACCESS = "keyturn.access."
_COMMANDS_OF_ACCESS = frozenset(
    one.__name__ for one in COMMANDS if one.service == GrantAccess.service
)


def has_heard(at_least: AtLeast, access: AccessCopy, installations: Installations) -> bool:
    """Tell whether all of it is heard that decides about access.

    A ValueError where it is the outcome of a service whose events are not followed.
    """
    if isinstance(at_least, int) or not can_be_heard(at_least):
        return False
    return all(_has_heard_of(one, access, installations) for one in at_least.events)


def can_be_heard(at_least: AtLeast | None) -> bool:
    """Tell whether it names all that an answer has to be as new as; events carry no revision.

    What a command found to be so already was announced by others, and is not named.
    """
    if not isinstance(at_least, CommandApplied):
        return at_least is None
    named = len(at_least.events)
    return named > 0 and at_least.announced == named and not at_least.not_applied


def is_of_access(at_least: AtLeast | None) -> bool:
    """Tell whether the access service knows of it; of other services' news it may not yet.

    An outcome without a revision is from a release that told none of what had not changed.
    """
    if not isinstance(at_least, CommandApplied):
        return True
    return (
        at_least.command in _COMMANDS_OF_ACCESS
        and at_least.revision is not None
        and all(one.type.startswith(_ACCESS) for one in at_least.events)
    )


def _has_heard_of(event: AnnouncedEvent, access: AccessCopy, installations: Installations) -> bool:
    if not event.type.startswith(_FOLLOWED):
        raise ValueError(f"Nothing is heard here of what was announced as {event.type}.")
    if event.epoch is None:
        # The sequence that is known may be high, and of an epoch before this one's.
        return False
    position = event.epoch, event.sequence
    kind, _, id_ = event.subject.partition("/")
    if kind == AboutInstallation.kind:
        held = installations.get(id_)
        return held is not None and held.position >= position
    # Of other kinds no decision rests on them.
    return kind not in TOLD or access.position_of(event.subject) >= position
