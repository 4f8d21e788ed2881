"""Who sees whose things in the lists of the workflow service."""

from keyturn_contracts.actor import Actor

from services.workflow.rules.engine import ADMINISTRATOR
from shared.http.errors import ApiError


def whose(caller: Actor) -> str | None:
    """Return whose things the caller sees: everybody's in the brand (None), or their own."""
    if caller.engine_id is not None:
        raise ApiError("not_allowed", "An engine reads its own epoch and number, nothing else.")
    return None if ADMINISTRATOR in caller.roles else caller.subject
