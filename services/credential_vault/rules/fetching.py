"""What an engine is answered when it asks for an account's credentials."""

from dataclasses import dataclass
from typing import Literal

from keyturn_contracts.credential_vault import AccountState
from keyturn_contracts.workflow import EngineKind, EngineState, Reach

Answer = Literal["sealed", "unchanged", "deleted", "out_of_reach", "account_unknown", "not_bound"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine as workflow registered it; without its keys, which only seal and verify."""

    id: str
    kind: EngineKind
    lease_seconds: int | None
    reach: Reach
    state: EngineState


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetchable:
    """What of an account decides over a fetch, as it is under the account's lock."""

    extension: str
    state: Literal[AccountState, "adding"]
    version: int


def judge_fetch(
    engine: Engine,
    account_id: str,
    account: Fetchable | None,
    *,
    is_bound: bool,
    have: int | None,
) -> Answer:
    """Say what a fetch is answered; of what is out of reach nothing shows, not even that it is.

    A retired engine reaches nothing. `deleted` needs no binding: the bindings of a deleted account
    are not allowed any more, and its holders must still hear of the deletion and confirm it.
    """
    is_known = account is not None and account.state != "adding"
    extension = account.extension if account is not None and is_known else ""
    if engine.state == "retired" or not engine.reach.covers(account_id, extension):
        return "out_of_reach"
    if account is None or not is_known:
        return "account_unknown"
    if account.state == "deleted":
        return "deleted"
    if not is_bound:
        return "not_bound"
    return "unchanged" if have == account.version else "sealed"
