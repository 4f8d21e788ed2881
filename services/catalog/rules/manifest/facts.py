"""Facts with a source: steps, permissions, rotation, and the end of a scheme."""

import re
from collections.abc import Iterator
from datetime import date

from keyturn_contracts.catalog import Manifest, RotationFacts, Scheme, Sourced

from services.catalog.rules.manifest.wording import repeated

_SOURCE = re.compile(r"(?:https://|(?:github|pypi|npm|debian|go|maven):)[^\s]+")
"""A URL, or a name in a public registry with its version: `pypi:name==1.2.3`."""
_NEEDS_SOURCE = {"official", "implementation", "secondary"}
_DAY = re.compile(r"\d{4}(?:-\d{2}(?:-\d{2})?)?")
_WHOLE_DAY = "0000-01-01"


def problems_of_facts(manifest: Manifest) -> Iterator[str]:
    for twice in repeated(one.id for one in manifest.steps):
        yield f"steps: {twice} is there twice."
    for twice in repeated(one.data for one in manifest.permissions):
        yield f"permissions: {twice} is there twice."
    for place, one in _sourced(manifest):
        yield from _problems_of_source(place, one)
    yield from _problems_of_rotation("rotation", manifest.rotation)


def problems_of_scheme_facts(place: str, scheme: Scheme) -> Iterator[str]:
    yield from _problems_of_source(place, scheme)
    if scheme.rotation is not None:
        yield from _problems_of_source(f"{place}: rotation", scheme.rotation)
        yield from _problems_of_rotation(f"{place}: rotation", scheme.rotation)
    if scheme.ends_on is not None and not _is_day(scheme.ends_on):
        yield f"{place}: ends_on is a year, a month or a day, as in 2027, 2027-03 or 2027-03-31."


def _sourced(manifest: Manifest) -> Iterator[tuple[str, Sourced]]:
    for step in manifest.steps:
        yield f"steps: {step.id}", step
    for permission in manifest.permissions:
        yield f"permissions: {permission.data}", permission
    for domain in manifest.domains:
        yield f"domains: {domain.rule}", domain
    if manifest.additional_domains is not None:
        yield "additional_domains", manifest.additional_domains
    yield "rotation", manifest.rotation


def _problems_of_source(place: str, sourced: Sourced) -> Iterator[str]:
    if sourced.basis in _NEEDS_SOURCE and not sourced.sources:
        yield f"{place}: its basis is {sourced.basis}, so name the source."
    for source in sourced.sources:
        if not _SOURCE.fullmatch(source):
            yield f"{place}: {source!r} is no public reference, such as a URL or pypi:name==1.0."


def _problems_of_rotation(place: str, rotation: RotationFacts) -> Iterator[str]:
    if rotation.grace_seconds is None:
        return
    if rotation.rotation_class != "overlap_grace":
        yield f"{place}: grace_seconds goes with overlap_grace, not {rotation.rotation_class}."
    if rotation.grace_seconds <= 0:
        yield f"{place}: grace_seconds is how long the former one lives on, so more than 0."


def _is_day(text: str) -> bool:
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text + _WHOLE_DAY[len(text) :])
    except ValueError:
        return False
    return True
