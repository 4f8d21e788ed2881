"""What is put on record: every change of an account, and every read of its credentials."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

Action = Literal["add", "edit", "rotate", "verify", "delete", "retire", "fetch"]
Result = Literal["begun", "done", "refused"]


class Who(NamedTuple):
    """Somebody, and the issuer that vouched for them."""

    issuer: str
    subject: str


VAULT = Who("keyturn", "credential-vault")
"""The vault itself, where nobody asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the audit: who did what to which account, and what came of it."""

    at: datetime
    by: Who
    action: Action
    account_id: str
    result: Result
    version: int | None = None
    engine_id: str | None = None
    reason: str | None = None
    """A word of a closed set; never what a provider or a message said."""
