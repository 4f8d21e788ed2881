"""Who is told what about whose access."""

from datetime import datetime

from keyturn_contracts.actor import Actor
from keyturn_contracts.rights import Facts, decide

from services.access.rules.members import is_of_the_brand
from shared.http.auth import Caller
from shared.http.errors import ApiError


def sees_everybody(caller: Actor) -> bool:
    """Tell whether they are told of everybody: the brand's administrators, no operator as such."""
    return "administrator" in caller.roles


def check_belongs(caller: Caller) -> None:
    """Answer `not_allowed` to whoever is nobody in the brand: engines, operators, who has left."""
    if caller.engine_id is not None:
        raise ApiError("not_allowed", "An engine asks for decisions: POST /v1/decisions.")
    if not is_of_the_brand(caller):
        raise ApiError("not_allowed", "Only members of the brand see this, and you are none.")


def check_sees(caller: Actor, member: str) -> None:
    """Answer `not_allowed` to whoever asks about somebody else and may not."""
    if not (sees_everybody(caller) or caller.subject == member):
        raise ApiError(
            "not_allowed",
            "Only an administrator of the brand is told about others; you are about yourself.",
        )


def check_administers(caller: Actor) -> None:
    """Answer `not_allowed` to whoever is not told of everybody."""
    if not sees_everybody(caller):
        raise ApiError("not_allowed", "Only an administrator of the brand sees this.")


def owns(facts: Facts, caller: Actor, account_id: str, at: datetime) -> bool:
    """Tell whether they own it: whose issuer vouches for no role of the brand does not."""
    if not is_of_the_brand(caller):
        return False
    return decide(facts, caller.subject, "share", account_id, at).allowed
