"""What several manifests share, said once: named parts, put in where a manifest uses them.

`{use: google.consent, title: Mine}` is the part named `google.consent` with `title` put over it; in
a list, `- use: google.domains` of a part that is a list is all of its items.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, cast

from services.catalog.rules.manifest.error import ManifestError

Parts: TypeAlias = Mapping[str, Any]
"""By name, `<family>.<part>`: a mapping, a list or a text, as it was written."""

_WORD = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_USE = "use"


def parts_of(family: str, given: Any) -> dict[str, Any]:
    """Return a family's parts by their whole names, or raise `ManifestError`."""
    if not isinstance(given, dict) or not given:
        raise ManifestError("This is no mapping from names to parts.")
    parts: dict[str, Any] = {}
    for name, part in cast("dict[object, Any]", given).items():
        if not (isinstance(name, str) and _WORD.fullmatch(name)):
            raise ManifestError(f"{name!r} is no name; use small letters, digits and dashes.")
        if not isinstance(part, (dict, list, str)):
            raise ManifestError(f"{name} is neither a mapping, a list nor a text.")
        parts[f"{family}.{name}"] = part
    return parts


def expand(given: Any, parts: Parts) -> Any:
    """Return what was given with every part put in, or raise `ManifestError`."""
    return _expand(given, parts, (), ())


def used_by(given: Any, parts: Parts) -> set[str]:
    """Return the names of all parts that it uses, itself or by way of another part."""
    found: set[str] = set()
    names = list(_uses(given))
    while names:
        name = names.pop()
        if name not in found and name in parts:
            found.add(name)
            names += _uses(parts[name])
    return found


def _expand(given: Any, parts: Parts, place: tuple[str, ...], inside: tuple[str, ...]) -> Any:
    if isinstance(given, dict):
        mapping = cast("dict[str, Any]", given)
        if _USE in mapping:
            return _put_in(mapping, parts, place, inside)
        return {
            name: _expand(one, parts, (*place, str(name)), inside) for name, one in mapping.items()
        }
    if isinstance(given, list):
        return _expand_list(cast("list[Any]", given), parts, place, inside)
    return given


def _expand_list(
    given: list[Any], parts: Parts, place: tuple[str, ...], inside: tuple[str, ...]
) -> list[Any]:
    whole: list[Any] = []
    for number, one in enumerate(given):
        expanded = _expand(one, parts, (*place, str(number)), inside)
        if isinstance(one, dict) and _USE in one and isinstance(expanded, list):
            whole += cast("list[Any]", expanded)
        else:
            whole.append(expanded)
    return whole


def _put_in(
    given: dict[str, Any], parts: Parts, place: tuple[str, ...], inside: tuple[str, ...]
) -> Any:
    where = ".".join(place) or "the manifest"
    name, over = given[_USE], {key: one for key, one in given.items() if key != _USE}
    if not isinstance(name, str):
        raise ManifestError(f"{where}: use takes the name of a shared part, as in family.part.")
    if name not in parts:
        raise ManifestError(f"{where}: there is no shared part {name}.")
    if name in inside:
        circle = ", ".join((*inside[inside.index(name) :], name))
        raise ManifestError(f"{where}: shared parts use each other in a circle: {circle}.")
    part = _expand(parts[name], parts, place, (*inside, name))
    if not over:
        return part
    if not isinstance(part, dict):
        raise ManifestError(f"{where}: {name} is no mapping, so nothing can be put over it.")
    return {**cast("dict[str, Any]", part), **_expand(over, parts, place, inside)}


def _uses(given: Any) -> Iterator[str]:
    if isinstance(given, dict):
        mapping = cast("dict[str, Any]", given)
        if isinstance(mapping.get(_USE), str):
            yield mapping[_USE]
        for one in mapping.values():
            yield from _uses(one)
    elif isinstance(given, list):
        for one in cast("list[Any]", given):
            yield from _uses(one)
