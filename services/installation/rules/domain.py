"""How the domain rules of manifests, of brands and of accounts' settings are read here."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from keyturn_contracts.catalog import DomainRule
from keyturn_contracts.domains import (
    DomainError,
    Rule,
    Template,
    parse_rule,
    parse_template,
    read_rule,
)
from keyturn_contracts.domains.patterns import PatternError, read_pattern

_KEPT = 4096
"""How many rules, templates and lists are kept as they were read, each."""


class Declared(NamedTuple):
    """A manifest's rule as it is stored and as it is shown; or why it is blocked."""

    rule: str
    shown: str
    problem: str | None = None
    whole_host: str | None = None
    """The slot that is all of the host, where one is."""


def read_declared(domain: DomainRule, private: frozenset[str]) -> Declared:
    """Read a manifest's rule. One that was fine when it was published may be refused by now."""
    try:
        read = (
            parse_template(
                domain.rule, domain.slots, private=private, wide_because=domain.wide_because
            )
            if domain.slots
            else parse_rule(domain.rule, private=private, wide_because=domain.wide_because)
        )
    except DomainError as error:
        return Declared(domain.rule, domain.rule, error.message)
    whole = read.labels[0] if isinstance(read, Template) and not read.name else None
    return Declared(str(read), read.shown, whole_host=whole)


def read_added(text: str, private: frozenset[str]) -> Rule | DomainError:
    """Read what somebody adds to a list, or return why it is refused."""
    try:
        return parse_rule(text, private=private)
    except DomainError as error:
        return error


class Filler:
    """Makes hosts of manifests' rules, and matches each value with each pattern once.

    Hundreds of rules may have the same slot, and a match may take milliseconds.
    """

    def __init__(self, private: frozenset[str]) -> None:
        self._private = private
        self._matches: dict[tuple[str, str], bool] = {}

    def fill(
        self,
        rule: str,
        slots: Mapping[str, str],
        values: Mapping[str, str],
        *,
        wide_because: str | None,
    ) -> str | None:
        """Return the exact host that these values give to the slots of a rule, or None for none.

        There is a value for each slot.
        """
        template = _template(rule, tuple(sorted(slots.items())), self._private, wide_because)
        if template is None or not self.is_match(slots, values):
            return None
        try:
            filled = template.fill(values, private=self._private, wide_because=wide_because)
        except DomainError:
            return None
        return None if filled is None else str(filled)

    def is_match(self, slots: Mapping[str, str], values: Mapping[str, str]) -> bool:
        """Tell whether each value matches its slot's pattern."""
        return all(self._matches_pattern(one, values[slot]) for slot, one in slots.items())

    def _matches_pattern(self, pattern: str, value: str) -> bool:
        at = pattern, value
        if at not in self._matches:
            try:
                self._matches[at] = read_pattern(pattern).matches_slot(value)
            except PatternError:
                self._matches[at] = False
        return self._matches[at]


def shown(rule: str) -> str:
    """Return a stored rule for people: in both spellings where it is international."""
    read = _stored(rule)
    return rule if read is None else read.shown


class Coverage:
    """Which rules a list covers already, asked about many of them while it grows."""

    def __init__(self, rules: Iterable[str]) -> None:
        self._exact: set[tuple[str, int]] = set()
        self._below: set[tuple[str, int]] = set()
        self._unread: set[str] = set()
        for one in rules:
            if (read := _stored(one)) is not None:
                self.add(read)
            else:
                self._unread.add(one)

    def add(self, rule: Rule) -> None:
        (self._below if rule.wildcard else self._exact).add((rule.host, rule.port))

    def covers(self, rule: Rule) -> bool:
        if not rule.wildcard and (rule.host, rule.port) in self._exact:
            return True
        return any((name, rule.port) in self._below for name in _names_above(rule))

    def covers_stored(self, text: str) -> bool:
        """Tell so of a stored rule; one that is read no more is covered by itself alone."""
        read = _stored(text)
        return text in self._unread if read is None else self.covers(read)


def within(wide: Iterable[str], narrow: Iterable[str]) -> dict[str, list[str]]:
    """Return for each stored wildcard which of other stored rules it covers, in their order."""
    found: dict[str, list[str]] = {one: [] for one in wide}
    for one in narrow:
        if (read := _stored(one)) is not None:
            for name in _names_above(read):
                if (below := found.get(str(Rule(name, read.port, wildcard=True)))) is not None:
                    below.append(one)
    return found


def _names_above(rule: Rule) -> Iterator[str]:
    """Yield the names of all wildcards that cover a rule, where they are for its port."""
    if rule.wildcard:
        yield rule.host
    _, dot, above = rule.host.partition(".")
    while dot:
        yield above
        _, dot, above = above.partition(".")


@lru_cache(maxsize=_KEPT)
def _stored(text: str) -> Rule | None:
    try:
        return read_rule(text)
    except DomainError:
        return None


@lru_cache(maxsize=_KEPT)
def _template(
    rule: str,
    slots: tuple[tuple[str, str], ...],
    private: frozenset[str],
    wide_because: str | None,
) -> Template | None:
    """Return a rule without the patterns of its slots, which `Filler` has matched before."""
    try:
        read = parse_template(rule, dict(slots), private=private, wide_because=wide_because)
    except DomainError:
        return None
    return replace(read, patterns={})
