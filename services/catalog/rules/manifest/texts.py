"""Texts of a manifest: nothing in them is invisible, or turns what stands around it."""

import unicodedata
from collections.abc import Iterator, Mapping
from typing import cast

from keyturn_contracts.catalog import Manifest
from keyturn_contracts.domains.name import INVISIBLE, described
from keyturn_contracts.message import Part

_OF_LINES = "\n\t"
_MAY_HAVE_LINES = frozenset({"body", "default", "example", "help"})
_NOT_SHOWN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Categories: controls, format characters such as those of writing from right to left, what is
not assigned or private, and other breaks of a line or a paragraph."""


def problems_of_texts(manifest: Manifest) -> Iterator[str]:
    """Say which text has a character that people do not see, or that moves what they do see."""
    for place, text in _texts(manifest, ()):
        allowed = _OF_LINES if _MAY_HAVE_LINES.intersection(place) else ""
        if hidden := _hidden_in(text).difference(allowed):
            yield (
                f"{'.'.join(place)}: {described(min(hidden))} is invisible, or moves what stands "
                "around it; leave it out."
            )


def _hidden_in(text: str) -> set[str]:
    # Nearly all texts are done with here.
    if text.isprintable() and not INVISIBLE.search(text):
        return set()
    return {one for one in set(text) if _is_hidden(one)}


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _NOT_SHOWN or bool(INVISIBLE.match(character))


def _texts(value: object, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Part):
        for name in type(value).model_fields:
            yield from _texts(getattr(value, name), (*place, name))
    elif isinstance(value, Mapping):
        for name, one in cast("Mapping[str, object]", value).items():
            yield from _texts(name, place)
            yield from _texts(one, (*place, name))
    elif isinstance(value, tuple):
        for number, one in enumerate(cast("tuple[object, ...]", value)):
            yield from _texts(one, (*place, str(number)))
