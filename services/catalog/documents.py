"""Writes what is made of the catalog's own files: the schema of a manifest, and the guide."""

import json
from pathlib import Path

from services.catalog.guide import guide
from services.catalog.jobs import MANIFESTS, read_manifests
from services.catalog.rules.manifest.schema import manifest_schema
from services.catalog.settings import CatalogSettings

ROOT = Path(__file__).parents[2]


def documents() -> dict[str, str]:
    """Return each document's text by its path in the project."""
    schema = json.dumps(manifest_schema(), indent=2, ensure_ascii=False)
    return {
        "services/catalog/manifests/manifest.schema.json": f"{schema}\n",
        "docs/extensions.md": guide(read_manifests(MANIFESTS), CatalogSettings().platform),
    }


def main() -> None:
    """Write all of them."""
    for path, text in documents().items():
        (ROOT / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
