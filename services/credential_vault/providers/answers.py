"""What a provider answered, as people may read it: short, and without what was sent to it."""

import base64
from collections.abc import Iterable, Iterator
from urllib.parse import quote

LONGEST = 200
"""How many characters of an answer are shown."""
_LOOKED_AT = 2000
_WINDOW = 6
"""So many characters of a secret in a row give too much of it away."""
_SHORTEST_NAME = 3


def clean_answer(text: str, *, secrets: Iterable[str], names: Iterable[str] = ()) -> str:
    """Return the answer in one line, shortened; nothing where it repeats what was sent.

    Of a secret a part is enough, in any of the encodings that a protocol or an error page may use;
    of a name, such as a user's, all of it. What is cut away here is never shown elsewhere.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text[:_LOOKED_AT]).split())
    squeezed = line.replace(" ", "").casefold()
    given_away = {squeezed[i : i + _WINDOW] for i in range(len(squeezed))}
    for encoded in (one for secret in secrets for one in _encodings(secret)):
        if len(encoded) < _WINDOW:
            is_shown = encoded in squeezed
        else:
            is_shown = not given_away.isdisjoint(_windows(encoded))
        if is_shown:
            return ""
    whole = [one for name in names for one in _encodings(name) if len(one) >= _SHORTEST_NAME]
    if any(one in squeezed for one in whole):
        return ""
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _windows(encoded: str) -> Iterator[str]:
    return (encoded[i : i + _WINDOW] for i in range(len(encoded) - _WINDOW + 1))


def _encodings(value: str) -> Iterator[str]:
    """Yield a value as it may come back, without blanks and in small letters."""
    content = value.encode()
    found = {"".join(value.split()), content.hex(), quote(value, safe="")}
    for before in range(3):
        # Base64 depends on where in the encoded text a value begins; its ends mix with neighbours.
        encoded = base64.b64encode(bytes(before) + content).decode().rstrip("=")
        inner = encoded[4 if before else 0 :][:-1]
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return (one.casefold() for one in found if one)
