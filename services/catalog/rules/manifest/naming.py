"""Whether a name could be taken for another one: what people see of it, not its characters."""

import unicodedata
from collections.abc import Sequence

from keyturn_contracts.domains.name import INVISIBLE, described
from keyturn_contracts.domains.scripts import is_everyday_letter, latin_looks, mixes_scripts

_LOOKS_LIKE = {"0": "o", "1": "l", "i": "l", "3": "e", "4": "a", "5": "s", "7": "t"}
"""Within Latin letters and digits; as are `rn` and `vv` (UTS #39, confusables.txt). Of the digits,
what people write for letters."""
_SIGNS = frozenset(
    {
        *"+\u00a9\u00ae",
        # Quotation marks, dashes and dots; of Chinese and Japanese, Arabic and Hebrew too.
        *"\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb\u2010\u2013\u2014\u00b7\u2022",
        *"\u3001\u3002\u300c\u300d\u30fb\u060c\u05f3\u05f4",
    }
)
"""What may stand in a name beside letters, digits and the punctuation of ASCII; `™` is two letters
here. Other signs look like letters, as the euro's does."""
_TOO_SHORT_TO_STAND_OUT = 5
_LOOKS_LIKE_TWO = {"m": "rn", "w": "vv"}


def passes_for(name: str, other: str) -> bool:
    """Tell whether the letters and digits of a name could be taken for another's.

    Case, accents, spaces, punctuation and what is invisible make no difference, nor does a letter
    of another script that looks alike; a plus sign may be a t. A longer name passes for it too, as
    `Keyturn Inc.` does; not for one so short that it stands in other words by chance.
    """
    composed, meant = unicodedata.normalize("NFKC", name), _seen(other)
    return any(_stands_in(_seen(one), meant) for one in {composed, composed.replace("+", "t")})


def _stands_in(seen: Sequence[frozenset[str]], meant: Sequence[frozenset[str]]) -> bool:
    if len(meant) < _TOO_SHORT_TO_STAND_OUT:
        return bool(meant) and len(seen) == len(meant) and _same(seen, meant)
    return any(_same(seen[at:], meant) for at in range(len(seen) - len(meant) + 1))


def _same(seen: Sequence[frozenset[str]], meant: Sequence[frozenset[str]]) -> bool:
    """Tell whether what is seen begins with what is meant."""
    return all(one & another for one, another in zip(seen, meant, strict=False))


def unreadable_in(name: str) -> str | None:
    """Return, in words, a character that is not everyday's in a name, or None.

    It may look like any letter, and nobody would know better.
    """
    composed = unicodedata.normalize("NFKC", name)
    return next((described(one) for one in composed if not _is_readable(one)), None)


def _is_readable(character: str) -> bool:
    match unicodedata.category(character):
        case "Lu" | "Ll" | "Lt" | "Lo":
            return is_everyday_letter(character)
        case "Nl" | "No":
            return False
        case "Sm" | "Sc" | "Sk" | "So":
            return character in _SIGNS
        case category:
            return category[0] != "P" or character.isascii() or character in _SIGNS


def mixed_word_in(name: str) -> str | None:
    """Return a word whose letters are of several scripts, or None."""
    composed = unicodedata.normalize("NFKC", name)
    words = "".join(one if unicodedata.category(one)[0] in "LMNC" else " " for one in composed)
    return next((word for word in words.split() if mixes_scripts(word)), None)


def has_letters(name: str) -> bool:
    """Tell whether there is a letter or a digit to be seen in it."""
    return bool(_seen(name))


def _seen(name: str) -> list[frozenset[str]]:
    """Return, for each letter or digit of a name, all that people may take it for."""
    seen: list[frozenset[str]] = []
    for one in unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name)):
        looks = latin_looks(one)
        if INVISIBLE.match(one) or not (looks or unicodedata.category(one)[0] in "LN"):
            continue
        if not looks and unicodedata.category(one) == "Lm":
            continue
        taken = {_LOOKS_LIKE.get(it, it) for it in (*looks, one.casefold())}
        double = next((_LOOKS_LIKE_TWO[it] for it in sorted(taken) if it in _LOOKS_LIKE_TWO), None)
        seen += [frozenset(taken)] if double is None else [frozenset(it) for it in double]
    return seen
