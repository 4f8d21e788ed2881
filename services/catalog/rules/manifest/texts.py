"""Texts of a manifest: nothing in them is invisible, or turns what stands around it."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import cast

from keyturn_contracts.catalog import Manifest
from keyturn_contracts.domains.name import INVISIBLE, described
from keyturn_contracts.message import Part

_OF_LINES = frozenset("\n\t")
_MAY_HAVE_LINES = frozenset({"body", "default", "example", "help"})
"""Fields of the contract, never names that a publisher gives."""
_NOT_SHOWN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Categories: controls, format characters such as those of writing from right to left, what is
not assigned or private, and other breaks of a line or a paragraph."""
_NON_JOINER, _JOINER = "\u200c", "\u200d"
_JOIN_THEIR_LETTERS = frozenset(
    {
        *("ARABIC", "BENGALI", "DEVANAGARI", "GUJARATI", "GURMUKHI", "KANNADA", "MALAYALAM"),
        *("ORIYA", "SINHALA", "SYRIAC", "TAMIL", "TELUGU"),
    }
)
"""Scripts in whose words a joiner or a non-joiner changes what is seen, as in Persian."""
_EMOJI = re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]")


def problems_of_texts(manifest: Manifest) -> Iterator[str]:
    """Say which text has a character that people do not see, or that moves what they do see."""
    for place, field, text in _texts(manifest, (), ""):
        allowed = _OF_LINES if field in _MAY_HAVE_LINES else frozenset[str]()
        if hidden := _hidden_in(text) - allowed:
            yield (
                f"{'.'.join(place)}: {described(min(hidden))} is invisible, or moves what stands "
                "around it; leave it out."
            )


def _hidden_in(text: str) -> set[str]:
    # Nearly all texts are done with here.
    if text.isprintable() and not INVISIBLE.search(text):
        return set()
    return {
        one for at, one in enumerate(text) if _is_hidden(one) and not _joins(text[at - 1 : at + 2])
    }


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _NOT_SHOWN or bool(INVISIBLE.match(character))


def _joins(three: str) -> bool:
    """Tell whether it is a joiner between two characters that are written so."""
    if len(three) != len("<->") or three[1] not in {_NON_JOINER, _JOINER}:
        return False
    around = (three[0], three[2])
    if all(_EMOJI.match(one) for one in around):
        return three[1] == _JOINER
    return all(_is_joined(one) for one in around)


def _is_joined(character: str) -> bool:
    is_of_a_word = unicodedata.category(character)[0] in "LM"
    return is_of_a_word and unicodedata.name(character, "").split(" ")[0] in _JOIN_THEIR_LETTERS


def _texts(
    value: object, place: tuple[str, ...], field: str
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield each text with its place and the last field of the contract on the way there."""
    if isinstance(value, str):
        yield place, field, value
    elif isinstance(value, Part):
        for name in type(value).model_fields:
            yield from _texts(getattr(value, name), (*place, name), name)
    elif isinstance(value, Mapping):
        for name, one in cast("Mapping[str, object]", value).items():
            yield from _texts(name, place, field)
            yield from _texts(one, (*place, name), field)
    elif isinstance(value, tuple):
        for number, one in enumerate(cast("tuple[object, ...]", value)):
            yield from _texts(one, (*place, str(number)), field)
