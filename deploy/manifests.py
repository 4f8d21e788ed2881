"""Manifests for the command line: read and judged by the catalog's own rules."""

from collections.abc import Collection, Sequence
from pathlib import Path

from keyturn_contracts.catalog import Manifest

from services.catalog.jobs import EXAMPLES, MANIFESTS, read_file
from services.catalog.rules.extension import Platform, problems_at
from services.catalog.rules.manifest import ManifestError
from shared.cli.manifests import Read


class CatalogFiles:
    """Knows what the service refuses, without a service that runs."""

    def read(self, file: Path) -> Read:
        try:
            manifest, unknown = read_file(file)
        except ManifestError as error:
            return Read(manifest=None, problems=error.problems)
        except UnicodeDecodeError:
            return Read(manifest=None, problems=["It is not text in UTF-8."])
        return Read(manifest=manifest, problems=unknown)

    def judge(
        self, manifest: Manifest, *, platform: str, private_hosts: Collection[str]
    ) -> Sequence[str]:
        return problems_at(
            Platform(name=platform, private_hosts=frozenset(private_hosts)), manifest
        )

    @property
    def shipped(self) -> Path:
        return MANIFESTS

    @property
    def examples(self) -> Path:
        return EXAMPLES
