"""How domain rules are read, and filled with what an account's settings say."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import lru_cache

from keyturn_contracts.catalog import DomainRule
from keyturn_contracts.domains import DomainError, Rule, Template, parse_rule, parse_template
from keyturn_contracts.domains.patterns import read_pattern
from keyturn_contracts.domains.problems import refusal
from keyturn_contracts.domains.writing import has_braces

_KEPT = 4096
"""How many rules are kept as they were read."""


class Filler:
    """Fills rules with one account's values, and matches each value with each pattern once.

    Hundreds of rules may have the same slot, and a match may take milliseconds.
    """

    def __init__(self, values: Mapping[str, str], private: Collection[str]) -> None:
        self._values = values
        self._private = frozenset(private)
        self._matches: dict[tuple[str, str], bool] = {}

    def fill(self, domain: DomainRule) -> Rule | None:
        """Return what the values make of a rule: of one without slots itself.

        `None` where a value is absent; `DomainError` where the rule or a value is refused.
        """
        patterns = tuple(sorted(domain.slots.items()))
        read = _read(domain.rule, patterns, self._private, domain.wide_because)
        if isinstance(read, DomainError):
            raise DomainError(read.problem, read.message)
        if isinstance(read, Rule):
            return read
        if not all(self._values.get(slot) for slot in domain.slots):
            return None
        for slot, pattern in domain.slots.items():
            if not self._is_match(pattern, self._values[slot]):
                raise refusal("slot_value", slot=slot)
        return read.fill(self._values, private=self._private, wide_because=domain.wide_because)

    def _is_match(self, pattern: str, value: str) -> bool:
        at = pattern, value
        if at not in self._matches:
            self._matches[at] = read_pattern(pattern).matches_slot(value)
        return self._matches[at]


@lru_cache(maxsize=_KEPT)
def _read(
    rule: str,
    slots: tuple[tuple[str, str], ...],
    private: frozenset[str],
    wide_because: str | None,
) -> Rule | Template | DomainError:
    """Return the rule; a template without its patterns, which `Filler` has matched before."""
    try:
        if not has_braces(rule):
            return parse_rule(rule, private=private, wide_because=wide_because)
        read = parse_template(rule, dict(slots), private=private, wide_because=wide_because)
    except DomainError as error:
        return error
    return replace(read, patterns={})
