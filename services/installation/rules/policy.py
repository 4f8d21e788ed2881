"""What an operator has set, as far as a rule goes by it."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    platform: str = "Keyturn"
    """The platform's name for people: by whom a first-party extension is."""
    contact: str = "the operator of your platform"
    """Whom to ask for what is not in the licence."""
    uninstall_within: timedelta = timedelta(minutes=15)
    """After it an uninstallation is overdue."""
    private: frozenset[str] = frozenset()
    """Hosts, by name, that may be reached although they are not on the internet."""


PLAIN = Policy()
