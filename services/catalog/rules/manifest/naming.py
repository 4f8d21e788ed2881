"""Whether a name could be taken for another one: what people see of it, not its characters."""

import unicodedata
from collections.abc import Sequence

from keyturn_contracts.domains.name import INVISIBLE, described
from keyturn_contracts.domains.scripts import is_in_everyday_script, latin_looks

_LOOKS_LIKE = {"0": "o", "1": "l", "i": "l"}
"""Within Latin letters and digits; as are `rn` and `vv` (UTS #39, confusables.txt)."""
_TOO_SHORT_TO_STAND_OUT = 5
_LOOKS_LIKE_TWO = {"m": "rn", "w": "vv"}


def passes_for(name: str, other: str) -> bool:
    """Tell whether the letters and digits of a name could be taken for another's.

    Case, accents, spaces, punctuation and what is invisible make no difference, nor does a letter
    of another script that looks alike. A longer name passes for it too, as `Keyturn Inc.` does;
    not for one so short that it stands in other words by chance.
    """
    seen, meant = _seen(name), _seen(other)
    if len(meant) < _TOO_SHORT_TO_STAND_OUT:
        return bool(meant) and len(seen) == len(meant) and _same(seen, meant)
    return any(_same(seen[at:], meant) for at in range(len(seen) - len(meant) + 1))


def _same(seen: Sequence[frozenset[str]], meant: Sequence[frozenset[str]]) -> bool:
    """Tell whether what is seen begins with what is meant."""
    return all(one & another for one, another in zip(seen, meant, strict=False))


def unreadable_in(name: str) -> str | None:
    """Return, in words, a letter of a script that few people read, or None.

    Such a letter may look like any other, and nobody would know better.
    """
    for one in unicodedata.normalize("NFKC", name):
        if unicodedata.category(one) in {"Lu", "Ll", "Lt", "Lo"} and not is_in_everyday_script(one):
            return described(one)
    return None


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
