"""Who is told what about whose access."""

from datetime import datetime

from keyturn_contracts.actor import Actor
from keyturn_contracts.rights import Facts, decide

from shared.http.errors import ApiError


def sees_everybody(caller: Actor) -> bool:
    """Tell whether they are told of everybody: administrators, and operators of the platform."""
    return not caller.roles.isdisjoint({"administrator", "operator"})


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
    return decide(facts, caller.subject, "share", account_id, at).allowed
