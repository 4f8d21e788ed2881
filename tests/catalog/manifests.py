"""The manifests that the catalog comes with, and copies of them that say something else."""

import copy
from typing import Any

import yaml
from keyturn_contracts.catalog import Manifest

from services.catalog.jobs import EXAMPLES, MANIFESTS, read_manifests

SHIPPED = {one.slug: one for one in read_manifests(MANIFESTS)}
EXAMPLE = {one.slug: one for one in read_manifests(EXAMPLES)}
ALL = SHIPPED | EXAMPLE

ABSENT: Any = object()
"""Stands for a key that is to be taken out."""


def written(slug: str) -> dict[str, Any]:
    """Return a manifest as its file says it, with what it shares put in."""
    return ALL[slug].model_dump(mode="json", exclude_unset=True)


def changed(slug: str, place: str, value: object) -> dict[str, Any]:
    """Return it with another value in one place: `schemes.0.title`."""
    manifest = copy.deepcopy(written(slug))
    *steps, name = (int(one) if one.isdigit() else one for one in place.split("."))
    inside: Any = manifest
    for step in steps:
        inside = inside[step]
    if value is ABSENT:
        del inside[name]
    else:
        inside[name] = value
    return manifest


def as_text(manifest: dict[str, Any]) -> str:
    return yaml.safe_dump(manifest, sort_keys=False)


def parsed(slug: str, place: str, value: object) -> Manifest:
    return Manifest.model_validate(changed(slug, place, value))
