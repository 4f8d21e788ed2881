"""A rule as it is stored and shown, and how one is read from what somebody wrote."""

from collections.abc import Collection
from dataclasses import dataclass

from keyturn_contracts.domains.name import canonical_name, in_its_letters
from keyturn_contracts.domains.owners import refuse_ownerless
from keyturn_contracts.domains.problems import DomainError
from keyturn_contracts.domains.writing import Written, read_port, written

DEFAULT_PORT = 443


@dataclass(frozen=True, slots=True)
class Rule:
    """What may be reached: one host and port, or everything below a name, at one port.

    `host` is in A-labels and small letters, without a final dot; of a wildcard it is the name
    below which, by one or more labels, everything may be reached, and not the name itself.
    Made by `parse_rule`, `read_rule` and `fill`.
    """

    host: str
    port: int = DEFAULT_PORT
    wildcard: bool = False

    def __str__(self) -> str:
        """Return the text that is stored: `*.example.com`, `example.com:8443`."""
        return self._around(self.host)

    @property
    def shown(self) -> str:
        """For people, in both spellings: `bücher.example (xn--bcher-kva.example)`, or its text."""
        letters, text = self._around(in_its_letters(self.host)), str(self)
        return text if letters == text else f"{letters} ({text})"

    def covers(self, other: "Rule") -> bool:
        """Tell whether everything that the other lets through, this one does too."""
        if self.port != other.port:
            return False
        if not self.wildcard:
            return not other.wildcard and self.host == other.host
        return other.host.endswith(f".{self.host}") or (other.wildcard and other.host == self.host)

    def _around(self, host: str) -> str:
        port = "" if self.port == DEFAULT_PORT else f":{self.port}"
        return f"{'*.' if self.wildcard else ''}{host}{port}"


def parse_rule(
    text: str, *, private: Collection[str] = (), wide_because: str | None = None
) -> Rule:
    """Read a rule without slots: what a brand adds, or a manifest declares. Or raise `DomainError`.

    `private` are hosts that an operator allowed by name, although they are not on the internet:
    they pass as special-use names, single labels and unknown suffixes, and as nothing else.
    `wide_because` is a manifest's reason for what several owners share.
    """
    rule = _read(_written(text))
    refuse_ownerless(rule.host, wildcard=rule.wildcard, private=private, wide_because=wide_because)
    return rule


def read_rule(text: str) -> Rule:
    """Read a rule that was accepted before, without asking again to whom the name belongs.

    For lists as events carry them: a rule with a reason or a private host is on them as it stands.
    What could match anything else than a name and its port raises `DomainError`.
    """
    return _read(_written(text))


def _read(parts: Written) -> Rule:
    port = DEFAULT_PORT if parts.port is None else read_port(parts.port)
    return Rule(canonical_name(parts.name), port, parts.wildcard)


def _written(text: str) -> Written:
    return written(text, suggest=suggestion)


def suggestion(text: str) -> str | None:
    """Return the rule that is meant by what is left of somebody's text, if it is one."""
    try:
        return str(parse_rule(text))
    except DomainError:
        return None
