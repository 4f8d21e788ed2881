"""What a manifest may say: its text is read, and judged where the contract alone would let it."""

from services.catalog.rules.manifest.error import ManifestError
from services.catalog.rules.manifest.judging import problems_of
from services.catalog.rules.manifest.parties import problems_of_publishers_name
from services.catalog.rules.manifest.reading import (
    SHARED,
    read_library,
    read_manifest,
    read_parts,
    understand_manifest,
)

__all__ = [
    "SHARED",
    "ManifestError",
    "problems_of",
    "problems_of_publishers_name",
    "read_library",
    "read_manifest",
    "read_parts",
    "understand_manifest",
]
