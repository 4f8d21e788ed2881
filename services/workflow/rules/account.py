"""A copy of what other services announced of an account, as far as it matters here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from keyturn_contracts.catalog import Party
from keyturn_contracts.credential_vault import AccountState

from services.workflow.rules.entitlement import Barred


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Fed by news alone: no rule here changes it."""

    id: str
    extension: str
    state: AccountState
    version: int
    epoch: int
    """Of the vault's event: after a restore it is higher, and older completions count no more."""
    barred: Barred | None = None
    """Why nobody of the brand may use its extension."""
    party: Party = "third"
    """By whom its extension is: a third party's has to be enabled for members."""
    holders: Mapping[str, datetime | None] = field(default_factory=dict[str, datetime | None])
    """Every engine that fetched a version which is not retired, and the end of its last lease."""

    @property
    def is_deleted(self) -> bool:
        return self.state == "deleted"
