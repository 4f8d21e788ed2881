"""What trying a version found."""

from dataclasses import dataclass

from services.credential_vault.rules.trial import Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    verdict: Verdict
    said: str = ""
    """A sentence for people, without anything that was sent."""


class FoundError(Exception):
    """Ends a try wherever it is, with what it found; nothing more is sent."""

    def __init__(self, verdict: Verdict, said: str) -> None:
        super().__init__(said)
        self.finding = Finding(verdict, said)

    @classmethod
    def of(cls, finding: Finding) -> "FoundError":
        return cls(finding.verdict, finding.said)
