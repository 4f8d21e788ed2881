"""The name in a rule: brought into A-labels as a browser does, and refused where it is none."""

import re
import unicodedata

import ada_url
import idna

from keyturn_contracts.domains.problems import refusal
from keyturn_contracts.domains.scripts import problem_of

OTHER_DOTS = "\u3002\uff0e\uff61"
"""The ideographic, fullwidth and halfwidth full stops, which UTS #46 reads as a dot."""
_DOTS = str.maketrans(dict.fromkeys(OTHER_DOTS, "."))
_WRITABLE = re.compile(r"[A-Za-z0-9._-]")
_STORABLE = re.compile(r"[a-z0-9._-]+")
INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Invisible characters that are no format characters; UTS #46 drops or maps them."""
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
"""A last label that is read as a number makes the whole an IPv4 address, or nothing at all
(WHATWG URL, "ends in a number checker")."""
_WINDOWS_LITERAL = "ipv6-literal.net"
"""Windows reads a name below it as the IPv6 address that it spells, and asks nobody."""
_LONGEST_NAME = 253
_LONGEST_LABEL = 63


def canonical_name(text: str) -> str:
    """Return the name in A-labels and small letters, without its final dot, or raise `DomainError`.

    The result is what a browser makes of it, is valid in IDNA 2008, and is never an IP address.
    """
    dotted = text.translate(_DOTS)
    name = dotted.removesuffix(".")
    if not name or name.startswith(".") or name.endswith(".") or ".." in name:
        raise refusal("empty_label")
    for one in name:
        _refuse_character(one)
    host = _as_a_browser(name)
    if not _STORABLE.fullmatch(host):
        raise refusal("wildcard_misplaced") if "*" in host else _stray(name, host)
    _refuse_shape(host)
    _refuse_letters(host)
    return host


def in_both_spellings(host: str) -> str:
    """Return `bücher.example (xn--bcher-kva.example)`, or just the host where it is ASCII."""
    letters = in_its_letters(host)
    return host if letters == host else f"{letters} ({host})"


def in_its_letters(host: str) -> str:
    """Return a host with its A-labels decoded; one that stands for nothing stays as it is."""
    if "xn--" not in host:
        return host
    return ".".join(_decoded(label) for label in host.split("."))


def _decoded(label: str) -> str:
    try:
        return idna.ulabel(label)
    except ValueError:
        return label


def _refuse_character(one: str) -> None:
    if one.isascii():
        if one == "*":
            raise refusal("wildcard_misplaced")
        is_bad = not _WRITABLE.match(one)
    else:
        # Controls, format characters, spaces, private use, and what this Unicode does not know.
        is_bad = unicodedata.category(one)[0] in "CZ" or bool(INVISIBLE.match(one))
    if is_bad:
        raise refusal("bad_character", character=described(one))


def described(one: str) -> str:
    """Return `U+200B ZERO WIDTH SPACE`, and the character itself where one can see it."""
    known = unicodedata.name(one, "")
    code = f"U+{ord(one):04X}{' ' if known else ''}{known}"
    return f"“{one}” ({code})" if one.isprintable() and not one.isspace() else code


def _as_a_browser(name: str) -> str:
    try:
        parsed = ada_url.parse_url(f"https://{name}", ("hostname", "host_type"))
    except ValueError:
        raise _unreadable(name) from None
    if parsed.get("host_type") != ada_url.HostType.DEFAULT:
        raise refusal("ip_literal")
    return parsed.get("hostname", "")


def _unreadable(name: str) -> Exception:
    if _NUMBER.fullmatch(unicodedata.normalize("NFKC", name).rpartition(".")[2]):
        return refusal("ip_literal")
    return _stray(name, "")


def _stray(name: str, host: str) -> Exception:
    """Name the character that is read as something which stands in no name."""
    for one in name:
        meant = unicodedata.normalize("NFKC", one)
        is_sign = not one.isascii() and unicodedata.category(one)[0] in "PS"
        if is_sign or any(it.isascii() and not _WRITABLE.match(it) for it in meant):
            return refusal("bad_character", character=described(one))
    return refusal("bad_international", name=host or name)


def _refuse_shape(host: str) -> None:
    labels = host.split(".")
    if "" in labels:
        raise refusal("empty_label")
    if len(host) > _LONGEST_NAME or max(map(len, labels)) > _LONGEST_LABEL:
        raise refusal("too_long")
    plain = [label for label in labels if not label.startswith("xn--")]
    if any(label.startswith("-") or label.endswith("-") for label in plain):
        raise refusal("bad_hyphen", name=host)
    if f".{host}".endswith(f".{_WINDOWS_LITERAL}"):
        raise refusal("ip_literal")


def _refuse_letters(host: str) -> None:
    if "xn--" not in host:
        return
    labels = [_letters_of(label, host) for label in host.split(".")]
    for label in labels:
        if label.isascii():
            continue
        problem = problem_of(label, labels[-1])
        if problem == "bad_character":
            raise refusal("bad_character", character=f"A letter of {label}")
        if problem is not None:
            raise refusal(problem, name=in_both_spellings(host))


def _letters_of(label: str, host: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return idna.ulabel(label)
    except idna.InvalidCodepoint:
        raise _stray(label[4:].encode().decode("punycode"), host) from None
    except ValueError:
        raise refusal("bad_international", name=host) from None
