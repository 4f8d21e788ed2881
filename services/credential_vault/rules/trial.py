"""What a provider said of one version, and how long somebody may wait for it to answer."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from services.credential_vault.rules.entitlement import NotEntitled

Verdict = Literal[
    "accepted",
    "credentials_refused",
    "settings_invalid",
    "fields_invalid",
    "scheme_not_supported",
    "address_refused",
    "provider_unreachable",
    NotEntitled,
]
"""The last two: nothing was tried, because the brand might not use the extension."""

PATIENCE = timedelta(seconds=30)
"""How long after it was asked for a provider that does not answer is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One version, tried at its provider by whoever held `claim`."""

    number: int
    claim: str
    at: datetime
    """When the answer came."""
    verdict: Verdict
    said: str = ""
    """A sentence for people: what the provider answered, shortened, without what was sent."""

    @property
    def not_entitled(self) -> NotEntitled | None:
        """Return why nothing was tried, where the brand might not use the extension then."""
        if self.verdict in ("not_licensed", "not_installed"):
            return self.verdict
        return None


def is_worth_another(asked_at: datetime, trial: Trial) -> bool:
    """Tell whether a provider that did not answer is tried again instead of concluding."""
    return trial.verdict == "provider_unreachable" and trial.at - asked_at < PATIENCE
