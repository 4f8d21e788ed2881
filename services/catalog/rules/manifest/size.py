"""How much work a manifest may make for whoever judges it, publishes it or reads its patterns."""

from collections.abc import Iterator

from keyturn_contracts.catalog import FieldSpec, Manifest
from keyturn_contracts.domains.patterns import Pattern, PatternError, read_pattern

MOST_PATTERNS = 100
MOST_POSITIONS = 4000
"""Of all patterns together, each that is there more than once counted once."""
MOST_CHECKED = 200_000
"""Characters of defaults and examples, each times the positions of its pattern, together."""
MOST_FILLED = 1_250_000
"""Characters of what fills the slots of all domains, each times the positions of its pattern: some
0.15 s at the longest values, each time that one account's hosts are made."""
MOST_GIVEN = 1_500_000
"""Likewise of the settings and the credential fields of one account: some 0.2 s to look at them."""
_LONGEST_IN_A_SLOT = 253
_LONGEST_SETTING = 2000
_LONGEST_SECRET = 192 * 1024
"""Of all fields of an account together, sealed in 256 KiB of base64."""


def problem_of_size(manifest: Manifest) -> str | None:
    """Return why the manifest is too much to judge, in a sentence, or None.

    It reads no pattern beyond the budget, so that saying so is little work whatever is in it.
    """
    patterns = set(_patterns_of(manifest))
    if len(patterns) > MOST_PATTERNS:
        return (
            f"patterns: there are {len(patterns)} of them, and an extension has {MOST_PATTERNS} at "
            "most: leave out those that say little of a value, or let several fields have the same."
        )
    left = MOST_POSITIONS
    for pattern in sorted(patterns):
        left -= _positions(pattern)
        if left < 0:
            return (
                f"patterns: together they have more than {MOST_POSITIONS} characters, each "
                "repetition counted: write `+` or `*` instead of `{1,250}`."
            )
    if _filled(manifest) > MOST_FILLED:
        return (
            "domains: filling all their slots is too much work: let fewer of them have slots, or "
            "give the slots shorter patterns, such as `[a-z0-9-]{1,63}`."
        )
    if _given(manifest) > MOST_GIVEN:
        return (
            "patterns: looking at all that an account is given is too much work: leave out those "
            "that say little of a value, write fewer repetitions, or `{1,64}` for one without end."
        )
    if sum(map(_checked, _fields_of(manifest))) > MOST_CHECKED:
        return (
            "patterns: the defaults and examples are too long for their patterns: write shorter "
            "ones, or `+` and `*` in the patterns instead of `{1,250}`."
        )
    return None


def _fields_of(manifest: Manifest) -> Iterator[FieldSpec]:
    yield from manifest.settings
    for scheme in manifest.schemes:
        yield from scheme.fields


def _patterns_of(manifest: Manifest) -> Iterator[str]:
    yield from (one.pattern for one in _fields_of(manifest) if one.pattern is not None)
    for domain in manifest.domains:
        yield from domain.slots.values()


def _filled(manifest: Manifest) -> int:
    """Return the work of filling the slots of all domains, each as often as it is there."""
    return sum(
        _work(pattern, _LONGEST_IN_A_SLOT)
        for domain in manifest.domains
        for pattern in domain.slots.values()
    )


def _given(manifest: Manifest) -> int:
    """Return the work of looking at the settings of an account, and its fields of one scheme."""
    fields = (
        sum(_work(one.pattern, _LONGEST_SECRET) for one in scheme.fields)
        for scheme in manifest.schemes
    )
    settings = sum(_work(one.pattern, _LONGEST_SETTING) for one in manifest.settings)
    return settings + max(fields, default=0)


def _work(pattern: str | None, longest: int) -> int:
    read = None if pattern is None else _read(pattern)
    return 0 if read is None else read.most_work(longest)


def _positions(pattern: str) -> int:
    read = _read(pattern)
    return 0 if read is None else read.positions


def _read(pattern: str) -> Pattern | None:
    try:
        return read_pattern(pattern)
    except PatternError:
        return None  # it is refused by its place, and reading it is remembered


def _checked(field: FieldSpec) -> int:
    if field.pattern is None:
        return 0
    return len(f"{field.default or ''}{field.example or ''}") * _positions(field.pattern)
