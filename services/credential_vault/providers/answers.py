"""What a provider answered, as people may read it: short, and without what was sent to it."""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from html import unescape
from urllib.parse import unquote, unquote_plus

LONGEST = 200
"""How many characters of an answer are shown."""
_LOOKED_AT = 2000
_WINDOW = 6
"""So many characters of a secret in a row give too much of it away."""
_LONG = 500
"""Of a secret of so many characters, such as a private key, chance alone repeats six."""
_WINDOW_OF_LONG = 12
_SHORTEST_NAME = 3
_ARMOUR = re.compile(r"-----[A-Z0-9 ]*-----")
"""What begins and ends a text in PEM is no secret, and providers do speak of private keys."""
_DEPTH = 2
_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))")


def clean_answer(text: str, *, secrets: Iterable[str], names: Iterable[str] = ()) -> str:
    """Return the answer in one line, shortened; nothing where it repeats what was sent.

    Of a secret a part is enough, in any of the encodings that a protocol or an error page may use;
    of a name, such as a user's, all of it. What is cut away here is never shown elsewhere.
    """
    looked_at = text[:_LOOKED_AT]
    line = " ".join("".join(c if c.isprintable() else " " for c in looked_at).split())
    readings = {_squeezed(one) for one in _decoded(looked_at)}
    windows = {
        size: {part for one in readings for part in _windows(one, size)}
        for size in (_WINDOW, _WINDOW_OF_LONG)
    }
    if any(_gives_away(readings, windows, secret) for secret in secrets):
        return ""
    encoded = (one for name in names for one in _encodings(name) if len(one) >= _SHORTEST_NAME)
    if any(one in reading for one in encoded for reading in readings):
        return ""
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _gives_away(readings: Iterable[str], windows: Mapping[int, set[str]], secret: str) -> bool:
    size = _WINDOW_OF_LONG if len(secret) >= _LONG else _WINDOW
    for encoded in _encodings(_ARMOUR.sub("", secret)):
        if len(encoded) < _WINDOW:
            if any(encoded in one for one in readings):
                return True
        elif not windows[size].isdisjoint(_windows(encoded, size)):
            return True
    return False


def _windows(encoded: str, size: int) -> Iterator[str]:
    return (encoded[i : i + size] for i in range(len(encoded) - size + 1))


def _decoded(text: str) -> set[str]:
    """Return a text as it is, and as readers of URLs, forms, HTML and JSON would read it.

    Twice over: an error page may show in HTML what was percent-encoded.
    """
    readings = {text}
    for _ in range(_DEPTH):
        readings |= {decode(one) for decode in _DECODERS for one in readings}
    return readings


def _without_escapes(text: str) -> str:
    """Decode as JSON's strings are, which have what is beyond 16 bits in two halves."""
    halves = _ESCAPED.sub(_unescaped, text).encode("utf-16", "surrogatepass")
    return halves.decode("utf-16", "replace")


def _unescaped(found: re.Match[str]) -> str:
    digits = found[1] or found[2]
    return chr(int(digits, 16)) if digits else found[3]


_DECODERS = (unescape, _without_escapes, unquote, unquote_plus)


def _squeezed(text: str) -> str:
    """Return a text in small letters, without blanks and what cannot be printed."""
    return "".join(one for one in text if one.isprintable() and one != " ").casefold()


def _encodings(value: str) -> Iterator[str]:
    """Yield a value as it may come back, without blanks and in small letters."""
    # What a program cannot encode it has not sent either.
    content = value.encode(errors="replace")
    found = {_squeezed(value), content.hex()}
    for before in range(3):
        # Base64 depends on where in the encoded text a value begins; its ends mix with neighbours.
        encoded = base64.b64encode(bytes(before) + content).decode().rstrip("=")
        inner = encoded[4 if before else 0 :][:-1]
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return (one.casefold() for one in found if one)
