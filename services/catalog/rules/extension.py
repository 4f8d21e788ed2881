"""When an extension is published: pure, no clock, no database, no broker."""

from dataclasses import dataclass

from keyturn_contracts.catalog import ExtensionPublished, Manifest

from shared.decisions import Applied, Unchanged


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    manifest: Manifest
    version: int
    """Of the manifest, from 1; it rises when the manifest changes."""


def decide_publication(
    extension: Extension | None, manifest: Manifest
) -> Applied[Extension] | Unchanged[Extension]:
    """Publish a manifest that is new or says something new."""
    if extension is not None and extension.manifest == manifest:
        return Unchanged("This manifest is the one that is published already.")
    published = Extension(
        manifest=manifest, version=1 if extension is None else extension.version + 1
    )
    return Applied(
        published,
        (ExtensionPublished(manifest=published.manifest, version=published.version),),
    )
