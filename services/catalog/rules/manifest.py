"""What a manifest may say: its text is read, and refused where the contract alone would let it."""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any, cast

import yaml
from keyturn_contracts.catalog import DomainRule, FieldSpec, Manifest, NothingToProbe, Scheme
from pydantic import ValidationError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SLOT = re.compile(r"\{([^{}]*)\}")


class ManifestError(ValueError):
    """A manifest that cannot be published. Its text names the place and says what is wrong."""


def read_manifest(text: str) -> Manifest:
    """Read a manifest's YAML, or raise `ManifestError`."""
    try:
        given = yaml.load(text, _Loader)  # noqa: S506  it is a safe loader, made stricter
    except yaml.YAMLError as error:
        raise ManifestError(f"This is not YAML: {error}.") from None
    try:
        manifest = Manifest.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ManifestError(f"{_place(first['loc'])}: {first['msg']}.") from None
    understood = manifest.model_dump(mode="json", exclude_unset=True)
    problems = [*_unknown_keys(given, understood), *_problems(manifest)]
    if problems:
        raise ManifestError(" ".join(problems))
    return manifest


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice, where YAML's own loader would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002  the signature of its base
        names = [name.value for name, _ in node.value if isinstance(name, yaml.ScalarNode)]
        for twice in _repeated(names):
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {twice} is given twice", node.start_mark
            )
        return super().construct_mapping(node, deep=deep)


def _unknown_keys(given: Any, known: Any) -> Iterator[str]:
    """Name what was given and is not in what was understood of it."""
    for place in sorted(set(_places(given)) - set(_places(known))):
        yield f"{_place(place)}: a manifest has no such key."


def _places(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield place
    if isinstance(value, dict):
        inside = cast("dict[str, Any]", value).items()
    else:
        inside = enumerate(cast("list[Any]", value) if isinstance(value, list) else ())
    for name, one in inside:
        yield from _places(one, (*place, str(name)))


def _problems(manifest: Manifest) -> Iterator[str]:
    settings = {one.name: one for one in manifest.settings}
    yield from _problems_of_fields("settings", manifest.settings)
    for field in manifest.settings:
        if field.secret:
            yield f"settings: {field.name} cannot be secret, because settings are shown in events."
    if not manifest.schemes:
        yield "schemes: there is none, so nobody could connect."
    for twice in _repeated(scheme.id for scheme in manifest.schemes):
        yield f"schemes: {twice} is there twice."
    for scheme in manifest.schemes:
        yield from _problems_of_scheme(scheme, settings)
    for domain in manifest.domains:
        yield from _problems_of_domain(domain, settings)


def _problems_of_domain(domain: DomainRule, settings: Mapping[str, FieldSpec]) -> Iterator[str]:
    used = set(_SLOT.findall(domain.rule))
    for name in sorted(used - settings.keys()):
        yield f"domains: {domain.rule} names {name}, which is no setting."
    for name in sorted(used ^ domain.slots.keys()):
        yield f"domains: {domain.rule} and its slots differ about {name}."
    for name, pattern in domain.slots.items():
        if not _is_expression(pattern):
            yield f"domains: the slot {name} of {domain.rule} is no regular expression."
    if _has_stray_brace(domain.rule):
        yield f"domains: {domain.rule} has a brace that opens or closes nothing."


def _problems_of_scheme(scheme: Scheme, settings: Mapping[str, FieldSpec]) -> Iterator[str]:
    place = f"schemes: {scheme.id}"
    yield from _problems_of_fields(place, scheme.fields)
    fields = {one.name: one for one in scheme.fields}
    for name in sorted(fields.keys() & settings.keys()):
        yield f"{place}: {name} is a setting too, so a template could mean either."
    if isinstance(scheme.probe, NothingToProbe):
        return
    for name, template in scheme.probe.model_dump(exclude={"protocol"}).items():
        for slot in _SLOT.findall(template):
            if slot not in fields and slot not in settings:
                yield f"{place}: the probe's {name} names {slot}, no setting and no field of it."
            elif slot in fields and fields[slot].secret and name != "password":
                yield f"{place}: the probe's {name} would show the secret {slot}."
        if _has_stray_brace(template):
            yield f"{place}: the probe's {name} has a brace that opens or closes nothing."


def _problems_of_fields(place: str, fields: Iterable[FieldSpec]) -> Iterator[str]:
    fields = tuple(fields)
    for twice in _repeated(one.name for one in fields):
        yield f"{place}: {twice} is there twice."
    for field in fields:
        if not _NAME.fullmatch(field.name):
            yield f"{place}: {field.name!r} is no name; use small letters, digits and underscores."
        if field.secret and field.default is not None:
            yield f"{place}: {field.name} is secret and has a default, which would be no secret."
        if field.pattern is None:
            continue
        if not _is_expression(field.pattern):
            yield f"{place}: the pattern of {field.name} is no regular expression."
        elif field.default is not None and not re.fullmatch(field.pattern, field.default):
            yield f"{place}: the default of {field.name} does not match its own pattern."


def _is_expression(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _has_stray_brace(template: str) -> bool:
    return not {"{", "}"}.isdisjoint(_SLOT.sub("", template))


def _repeated(names: Iterable[Any]) -> list[Any]:
    return [name for name, times in Counter(names).items() if times > 1]


def _place(steps: Iterable[str | int]) -> str:
    return ".".join(str(one) for one in steps) or "the manifest"
