"""Whether an international label could pass for another name: which letters may stand together.

The rule is Unicode's "highly restrictive" level (UTS #39, section 5.2) with what browsers add to
it; the model was Chromium's policy (docs/idn.md and components/url_formatter/spoof_checks in its
repository). A label has one script, or Latin letters from a to z beside Japanese, Chinese or
Korean. Where a browser would show the `xn--` form, a rule is refused.

Narrower than Chromium: a label in a script of its own whose letters all pass for Latin ones is
accepted below a top-level domain of the same script alone, and letters that only scholars and a
few languages write are refused. Wider: names are not compared with a list of well-known ones.

Python knows no script of a character, but the name of each begins with it.
"""

import re
import unicodedata
from collections.abc import Mapping

from keyturn_contracts.domains.problems import DomainProblem

_RECOMMENDED = frozenset(
    {
        *("ARABIC", "ARMENIAN", "BENGALI", "BOPOMOFO", "CYRILLIC", "DEVANAGARI", "ETHIOPIC"),
        *("GEORGIAN", "GREEK", "GUJARATI", "GURMUKHI", "HAN", "HANGUL", "HEBREW", "HIRAGANA"),
        *("KANNADA", "KATAKANA", "KHMER", "LAO", "LATIN", "MALAYALAM", "MYANMAR", "ORIYA"),
        *("SINHALA", "TAMIL", "TELUGU", "THAANA", "THAI", "TIBETAN"),
    }
)
"""The scripts in everyday use (UAX #31, table 5)."""

_WRITTEN_TOGETHER = (
    frozenset({"LATIN", "HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "HAN", "BOPOMOFO"}),
    frozenset({"LATIN", "HAN", "HANGUL"}),
)
_CALLED_OTHERWISE = {"CJK": "HAN", "IDEOGRAPHIC": "HAN", "EXTENDED": "ARABIC"}

_LOOKS: Mapping[str, Mapping[str, str]] = {
    script: dict(zip(letters, looks, strict=True))
    for script, letters, looks in (
        ("ARMENIAN", "ագզէլհյոսցւօշ", "wqqtlhjnuglo2"),
        ("CYRILLIC", "аԁеһіјӏорԛѕԝухсѵьъгпҽѡзӡҙ", "adehijlopqswyxcvbbrnew333"),
        ("GEORGIAN", "იოყძხჽჿვპ", "omydbho33"),
        ("GREEK", "αγηιθκνορτυχω", "ayniokvoptuxw"),
        ("HEBREW", "וחיןסדװײ", "lnilotnn"),
    )
}
"""Small letters that look like Latin letters or digits in common typefaces, and like which."""
_PASS_FOR_LATIN = {script: frozenset(letters) for script, letters in _LOOKS.items()}

_CAPITALS_LOOK = dict(
    zip(
        "АВЕЅІЈКМНОРСТУХҮԌԚԜҺΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹՍՕՏԼĸЄҚЦЯИΞŊʋռ",
        "abesijkmhopctyxygqwhabezhikmnoptyxcuoslkekurnenun",
        strict=True,
    )
)
"""Capitals, which no domain has, and small letters in their shape: like which small letter's."""
_A_LATIN_LETTER = re.compile(r"\b(?:LATIN|REGIONAL)\b.*?\b([A-Z])\b")
"""In the name of a character: also of a letter in a square, small capitals, or with a stroke."""

_EVERYDAY_LATIN = re.compile("[a-zß-öø-ķĺ-ňŋ-žơưșțəẁẃẅạ-ỹ]")
_USED_IN_ONE_PLACE: Mapping[str, frozenset[str]] = {
    "\N{LATIN SMALL LETTER DOTLESS I}": frozenset({"az", "tr"}),
    "ð": frozenset({"fo", "is"}),
    "þ": frozenset({"is"}),
    "ə": frozenset({"az"}),
}
"""Letters that pass for i, o, p and e, and the top-level domains whose languages have them."""

_LETTERS = frozenset({"Lu", "Ll", "Lt", "Lo"})
"""Categories; a letter that modifies another may be of any script."""
_PASSES_FOR_PUNCTUATION = re.compile(
    # Strokes that look like a slash, alone between what is not Chinese or Japanese.
    "[a-z0-9_-][ノンソゾ丶乀乁丿][a-z0-9_-]"
    # What looks like a hyphen, a bar, a dot or a Latin letter, beside a Latin one.
    "|[a-z0-9_-][一ー㇐ㄧ丨乛七丅十〇丁工讠・ヽヾ]"
    "|[一㇐ㄧ丨乛七丅十〇丁工讠・][a-z0-9_-]"
    "|^[ー・ヽヾ]"
    # Nothing but strokes.
    "|^[一丨丶丿乀乁七丁十〇工]+$"
)


def problem_of(label: str, last: str) -> DomainProblem | None:
    """Return why a label may not stand in a rule, or None.

    `label` is a valid label in its own letters (a U-label of RFC 5890), and `last` the last label
    of its name, likewise.
    """
    scripts = {script for one in label if (script := _script_of(one)) is not None}
    if not scripts <= _RECOMMENDED:
        return "bad_character"
    if "LATIN" in scripts and any(not _is_everyday(one) for one in label):
        return "bad_character"
    if _are_mixed(scripts, label) or _has_two_kinds_of_digits(label):
        return "mixed_scripts"
    if _passes_for_another(label, scripts, last):
        return "looks_like_another"
    return None


def latin_looks(character: str) -> frozenset[str]:
    """Return the small Latin letters and digits that it passes for, in small or as a capital."""
    looks = [look for letters in _LOOKS.values() if (look := letters.get(character.lower()))]
    looks += [look for one in {character, character.upper()} if (look := _CAPITALS_LOOK.get(one))]
    if found := _A_LATIN_LETTER.search(unicodedata.name(character, "")):
        looks.append(found[1].lower())
    return frozenset(looks)


def is_everyday_letter(character: str) -> bool:
    """Tell whether many people read a letter; what is in every script they do."""
    script = _script_of(character)
    return script is None or (script in _RECOMMENDED and _is_everyday(character.lower()[0]))


def mixes_scripts(word: str) -> bool:
    """Tell whether a word has letters of scripts that are not written together."""
    letters = "".join(one for one in word if unicodedata.category(one) in _LETTERS)
    scripts = {script for one in letters if (script := _script_of(one)) is not None}
    return _are_mixed(scripts, letters)


def _script_of(character: str) -> str | None:
    """Return the first word of its name, a letter's script; None for what is in every script."""
    if character.isascii():
        return "LATIN" if character.isalpha() else None
    if character == "·":  # between two l in Catalan, and IDNA 2008 lets it stand nowhere else
        return None
    word = re.split("[ -]", unicodedata.name(character, "NONE"), maxsplit=1)[0]
    return _CALLED_OTHERWISE.get(word, word)


def _is_everyday(character: str) -> bool:
    return _script_of(character) != "LATIN" or bool(_EVERYDAY_LATIN.match(character))


def _are_mixed(scripts: set[str], label: str) -> bool:
    if len(scripts) <= 1:
        return False
    has_other_latin = any(not one.isascii() and _script_of(one) == "LATIN" for one in label)
    return has_other_latin or not any(scripts <= together for together in _WRITTEN_TOGETHER)


def _has_two_kinds_of_digits(label: str) -> bool:
    zeros = {ord(one) - unicodedata.decimal(one) for one in label if one.isdecimal()}
    return len(zeros) > 1


def _passes_for_another(label: str, scripts: set[str], last: str) -> bool:
    if any(one in label and last not in places for one, places in _USED_IN_ONE_PLACE.items()):
        return True
    if not any(unicodedata.category(one).startswith("L") for one in label):
        return True
    if _PASSES_FOR_PUNCTUATION.search(label):
        return True
    for script in scripts & _PASS_FOR_LATIN.keys():
        letters = {one for one in label if _script_of(one) == script}
        is_at_home = any(_script_of(one) == script for one in last)
        return letters <= _PASS_FOR_LATIN[script] and not is_at_home
    return False
