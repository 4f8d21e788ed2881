"""Templates of manifests: texts in which `{name}` stands for a value. Pure."""

import re
from collections.abc import Iterable, Mapping

SLOT = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""A name in a template. A body may be JSON, whose own braces hold no bare name."""


def fill_first(templates: Iterable[str], values: Mapping[str, str]) -> str | None:
    """Return the first template filled in whose names all have a value that is not empty.

    None where there is no such template. It is what `DerivedSetting.first_of` means.
    """
    for template in templates:
        if all(values.get(name) for name in SLOT.findall(template)):
            return SLOT.sub(lambda found: values[found[1]], template)
    return None
