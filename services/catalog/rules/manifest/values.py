"""Settings, credential fields and derived values: whether somebody can fill them in."""

from collections.abc import Iterable, Iterator

from keyturn_contracts.catalog import FieldSpec, Manifest
from keyturn_contracts.domains.patterns import PatternError, read_pattern

from services.catalog.rules.manifest.templates import has_stray_brace, slots_of
from services.catalog.rules.manifest.wording import NAME, repeated

RESERVED = frozenset({"access_token", "public_key_sha256"})
"""What a try itself makes: nobody fills these in."""


def problems_of_settings(manifest: Manifest) -> Iterator[str]:
    yield from problems_of_fields("settings", manifest.settings)
    for field in manifest.settings:
        if field.secret:
            yield f"settings: {field.name} cannot be secret, because settings are shown in events."
    yield from _problems_of_derived(manifest)


def problems_of_fields(place: str, fields: Iterable[FieldSpec]) -> Iterator[str]:
    fields = tuple(fields)
    yield from problems_of_names(place, (one.name for one in fields))
    for field in fields:
        if field.secret and field.default is not None:
            yield f"{place}: {field.name} is secret and has a default, which would be no secret."
        if field.secret and field.example is not None:
            yield f"{place}: {field.name} is secret and has an example; describe it in its help."
        yield from _problems_of_pattern(place, field)


def problems_of_names(place: str, names: Iterable[str]) -> Iterator[str]:
    names = tuple(names)
    for twice in repeated(names):
        yield f"{place}: {twice} is there twice."
    for name in names:
        if not NAME.fullmatch(name):
            yield f"{place}: {name!r} is no name; use small letters, digits and underscores."
        if name in RESERVED:
            yield f"{place}: {name} is what a try makes itself; use another name."


def _problems_of_pattern(place: str, field: FieldSpec) -> Iterator[str]:
    if field.pattern is None:
        return
    try:
        pattern = read_pattern(field.pattern)
    except PatternError as error:
        yield (
            f"{place}: the pattern of {field.name} cannot be used ({error}): write a regular "
            "expression of characters, classes, groups, `|` and repetitions."
        )
        return
    for what, value in (("default", field.default), ("example", field.example)):
        is_absent = value == "" and not field.required
        if value is not None and not is_absent and not pattern.matches_field(value):
            yield f"{place}: the {what} of {field.name} does not match its own pattern."


def _problems_of_derived(manifest: Manifest) -> Iterator[str]:
    settings = {one.name for one in manifest.settings}
    names = [one.name for one in manifest.derived]
    yield from problems_of_names("derived", names)
    for name in sorted(settings.intersection(names)):
        yield f"derived: {name} is a setting too, so a template could mean either."
    for one in manifest.derived:
        for template in one.first_of:
            for slot in sorted(slots_of(template) - settings):
                why = "itself a derived value" if slot in names else "no setting"
                yield f"derived: {one.name} is made from {slot}, which is {why}."
            if has_stray_brace(template):
                yield f"derived: {one.name} has a brace that opens or closes nothing."
