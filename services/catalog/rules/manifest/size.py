"""How much work a manifest may make for whoever judges it, publishes it or reads its patterns."""

from collections.abc import Iterator

from keyturn_contracts.catalog import FieldSpec, Manifest
from keyturn_contracts.domains.patterns import PatternError, read_pattern

MOST_PATTERNS = 100
MOST_POSITIONS = 4000
"""Of all patterns together, each that is there more than once counted once."""
MOST_CHECKED = 200_000
"""Characters of defaults and examples, each times the positions of its pattern, together."""


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


def _positions(pattern: str) -> int:
    try:
        return read_pattern(pattern).positions
    except PatternError:
        return 0  # it is refused by its place, and reading it is remembered


def _checked(field: FieldSpec) -> int:
    if field.pattern is None:
        return 0
    return len(f"{field.default or ''}{field.example or ''}") * _positions(field.pattern)
