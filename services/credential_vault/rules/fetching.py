"""What an engine is answered when it asks for an account's credentials."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from keyturn_contracts.catalog import ExtensionChanged
from keyturn_contracts.credential_vault import AccountState
from keyturn_contracts.workflow import EngineKind, EngineState, Reach

from services.credential_vault.rules.entitlement import (
    Entitlement,
    NotEntitled,
    in_force,
    why_not,
)
from services.credential_vault.rules.fields import with_defaults

NotHere = Literal["not_bound", NotEntitled]
"""Why an engine that may know of an account is not given it; an engine hears of `not_bound` alone.

The workflow service suspends what the brand may not use, so the end is the same, whichever service
hears of it first: the engine lets go, and asks again when its binding is allowed.
"""
Answer = Literal["sealed", "unchanged", "deleted", "out_of_reach", "account_unknown", NotHere]


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
    entitlement: Entitlement,
    have: int | None,
) -> Answer:
    """Say what a fetch is answered; of what is out of reach nothing shows, not even that it is.

    A retired engine reaches nothing. `deleted` needs no binding: the bindings of a deleted account
    are not allowed any more, and its holders must still hear of the deletion and confirm it. What
    the brand may not use is given to nobody, whatever is bound.
    """
    is_known = account is not None and account.state != "adding"
    extension = account.extension if account is not None and is_known else ""
    if engine.state == "retired" or not engine.reach.covers(account_id, extension):
        return "out_of_reach"
    if account is None or not is_known:
        return "account_unknown"
    if account.state == "deleted":
        return "deleted"
    if (reason := why_not(entitlement)) is not None:
        return reason
    if not is_bound:
        return "not_bound"
    return "unchanged" if have == account.version else "sealed"


def settings_to_give(
    settings: Mapping[str, str], extension: ExtensionChanged | None, entitlement: Entitlement
) -> dict[str, str]:
    """Return an account's settings with the defaults that are in force, for an engine.

    Where nobody can say what was accepted, no default is given.
    """
    manifest = in_force(extension, entitlement) if extension is not None else None
    return dict(settings) if manifest is None else with_defaults(manifest, settings)
