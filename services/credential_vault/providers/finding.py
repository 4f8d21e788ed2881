"""What trying a version found."""

from dataclasses import dataclass

from services.credential_vault.rules.trial import Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    verdict: Verdict
    said: str = ""
    """A sentence for people, without anything that was sent."""
