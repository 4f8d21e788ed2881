"""A manifest's rule with slots: judged once, and filled with what an account's settings say."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from keyturn_contracts.domains.name import canonical_name, in_its_letters
from keyturn_contracts.domains.owners import refuse_ownerless
from keyturn_contracts.domains.patterns import Pattern, PatternError, read_pattern
from keyturn_contracts.domains.problems import refusal
from keyturn_contracts.domains.rule import DEFAULT_PORT, Rule, parse_rule, suggestion
from keyturn_contracts.domains.writing import bare, has_braces, read_port, split_port

_SLOT = re.compile(r"\{([a-z][a-z0-9_]{0,63})\}")
_A_PRIVATE_SUFFIX_WILL_DO = "A slot below it gives the exact name of one owner."


@dataclass(frozen=True, slots=True)
class Template:
    """A rule that an account's settings complete: `{instance}.example.com`, `{host}:{port}`.

    Made by `parse_template`. `labels` are the slots at the beginning, `name` the canonical name
    below which they stand, empty where one slot is the whole host.
    """

    labels: tuple[str, ...]
    name: str
    port: int
    port_slot: str | None
    patterns: Mapping[str, Pattern]

    def __str__(self) -> str:
        """Return the text that is stored: the name in A-labels, the port where it is not 443."""
        return self._around(self.name)

    @property
    def shown(self) -> str:
        """For people: in both spellings where the name is international."""
        letters, text = self._around(in_its_letters(self.name)), str(self)
        return text if letters == text else f"{letters} ({text})"

    def fill(
        self,
        values: Mapping[str, str],
        *,
        private: Collection[str] = (),
        wide_because: str | None = None,
    ) -> Rule | None:
        """Return the exact host that these values give, or None where one is absent or empty.

        Raises `DomainError` where a value does not match its slot's pattern, or no rule comes of
        it. The host is below the template's name, whatever the values are.
        """
        if not all(values.get(slot) for slot in self.patterns):
            return None
        for slot, pattern in self.patterns.items():
            if not pattern.matches_slot(values[slot]):
                raise refusal("slot_value", slot=slot)
        port = self.port if self.port_slot is None else read_port(values[self.port_slot])
        host = self._host(values)
        refuse_ownerless(host, private=private, wide_because=wide_because)
        return Rule(host, port)

    def _host(self, values: Mapping[str, str]) -> str:
        """Return the canonical name. A value makes as many labels as one can see dots in it."""
        parts = [values[slot] for slot in self.labels] + ([self.name] if self.name else [])
        text = ".".join(parts)
        host = canonical_name(text)
        labels = text.removesuffix(".").count(".")
        # Labels are mapped one by one, so that the count says it all; the promise is looked at too.
        is_below = not self.labels or not self.name or host.endswith(f".{self.name}")
        if host.count(".") != labels or not is_below:
            raise refusal("slot_value", slot=self.labels[0])
        return host

    def _around(self, name: str) -> str:
        labels = [f"{{{slot}}}" for slot in self.labels]
        host = ".".join([*labels, name] if name else labels)
        if self.port_slot is not None:
            return f"{host}:{{{self.port_slot}}}"
        return host if self.port == DEFAULT_PORT else f"{host}:{self.port}"


def parse_template(
    text: str,
    slots: Mapping[str, str],
    *,
    private: Collection[str] = (),
    wide_because: str | None = None,
) -> Template:
    """Read a rule with slots; `slots` are their patterns. Raises `DomainError`.

    What is fixed in it is judged like a rule; a slot may stand below a suffix of the Public Suffix
    List's private section (`{shop}.myshopify.com`), not below what a registry sells (`{name}.com`).
    """
    host, port = split_port(bare(text, suggest=suggestion))
    if "*" in host:
        raise refusal("wildcard_with_slot")
    labels, name = _labels_and_name(host)
    port_slot = _port_slot(port)
    patterns = _patterns([*labels, *([port_slot] if port_slot else [])], slots)
    if name:
        name = canonical_name(name)
        reason = _A_PRIVATE_SUFFIX_WILL_DO if labels else wide_because
        refuse_ownerless(name, private=() if labels else private, wide_because=reason)
    number = DEFAULT_PORT if port is None or port_slot is not None else read_port(port)
    return Template(labels, name, number, port_slot, patterns)


def check_template(
    rule: str,
    slots: Mapping[str, str],
    *,
    private: Collection[str] = (),
    wide_because: str | None = None,
) -> None:
    """Judge a manifest's rule, with slots or without, or raise `DomainError`."""
    if has_braces(rule):
        parse_template(rule, slots, private=private, wide_because=wide_because)
        return
    parse_rule(rule, private=private, wide_because=wide_because)
    for name in slots:
        raise refusal("slot_unused", slot=name)


def fill(
    rule: str,
    slots: Mapping[str, str],
    values: Mapping[str, str],
    *,
    private: Collection[str] = (),
    wide_because: str | None = None,
) -> Rule | None:
    """Return what an account's settings make of a manifest's rule: of one without slots itself.

    `None` where a value is absent; `DomainError` where the rule or a value is refused.
    """
    if not has_braces(rule):
        return parse_rule(rule, private=private, wide_because=wide_because)
    template = parse_template(rule, slots, private=private, wide_because=wide_because)
    return template.fill(values, private=private, wide_because=wide_because)


def _labels_and_name(host: str) -> tuple[tuple[str, ...], str]:
    """Part the slots at the beginning from the name below which they stand."""
    slots: list[str] = []
    labels = host.split(".")
    while labels and (found := _SLOT.fullmatch(labels[0])):
        slots.append(found[1])
        del labels[0]
    name = ".".join(labels)
    if has_braces(name) or (not name and len(slots) != 1):
        raise refusal("slot_misplaced")
    return tuple(slots), name


def _port_slot(port: str | None) -> str | None:
    if port is None or not has_braces(port):
        return None
    found = _SLOT.fullmatch(port)
    if found is None:
        raise refusal("slot_misplaced")
    return found[1]


def _patterns(used: list[str], slots: Mapping[str, str]) -> dict[str, Pattern]:
    patterns: dict[str, Pattern] = {}
    for slot in used:
        if not slots.get(slot):
            raise refusal("slot_without_pattern", slot=slot)
        try:
            patterns[slot] = read_pattern(slots[slot])
        except PatternError as error:
            raise refusal("slot_pattern", slot=slot, why=str(error)) from None
    for slot in slots:
        if slot not in patterns:
            raise refusal("slot_unused", slot=slot)
    return patterns
