"""Who sees whose things in the lists of the workflow service."""

from keyturn_contracts.actor import Actor

from services.workflow.rules.engine import ADMINISTRATOR
from shared.http.errors import ApiError

MEMBER = "member"


def whose(caller: Actor) -> str | None:
    """Return whose things the caller sees: everybody's in the brand (None), or their own.

    Their own accounts are those that they own. Who is not a member of the brand sees nothing.
    """
    if caller.engine_id is not None:
        raise ApiError("not_allowed", "An engine reads of itself alone.")
    if ADMINISTRATOR in caller.roles:
        return None
    if MEMBER not in caller.roles:
        raise ApiError("not_allowed", "Only members of the brand see this, and you are none.")
    return caller.subject
