"""A rule as somebody writes it: taken apart, and refused where it is a URL or something else."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import ada_url

from keyturn_contracts.domains.name import OTHER_DOTS
from keyturn_contracts.domains.problems import refusal

LONGEST_TEXT = 600
_SCHEME = re.compile(
    r"(?:[a-z{][a-z0-9+.:{}_-]*:)?[/\\]{2}"
    # Without slashes only what is no host with a port.
    r"|(?:https?|wss?|ftps?|sftp|ssh|smtps?|imaps?|ldaps?|mailto|file|data|blob|javascript|about)"
    r":(?![0-9]*$)",
    re.IGNORECASE,
)
_END_OF_HOST = re.compile(r"[/\\?#]")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_HIGHEST_PORT = 65535
_ADDRESS = re.compile(
    # Of IPv6: in brackets, or hexadecimal digits and at least two colons.
    r"(?:\*\.)?(?:\[[^\]]*:|[0-9a-f.]*:[0-9a-f.]*:[0-9a-f:.]*(?:%.*)?$)",
    re.IGNORECASE,
)

Suggest = Callable[[str], str | None]
"""Returns the rule that a text is, or None."""


@dataclass(frozen=True, slots=True)
class Written:
    """The parts of a rule, still as they were written; `port` is None where there is no colon."""

    name: str
    port: str | None
    wildcard: bool


def written(text: str, *, suggest: Suggest) -> Written:
    """Take a rule apart, or raise `DomainError`."""
    name, port = split_port(bare(text, suggest=suggest))
    if has_braces(text):
        raise refusal("slot_not_allowed")
    wildcard = name[:1] == "*" and name[1:2] in f".{OTHER_DOTS}" and len(name) > 1
    below = name[2:] if wildcard else name
    if not name:
        raise refusal("empty")
    if "*" in below or (wildcard and not below):
        raise refusal("wildcard_misplaced")
    return Written(below, port, wildcard)


def bare(text: str, *, suggest: Suggest) -> str:
    """Return a text without spaces around it; refuse what has more than a name and a port."""
    if len(text) > LONGEST_TEXT:
        raise refusal("too_long")
    stripped = text.strip(" \t\r\n")
    if not stripped.strip(f".{OTHER_DOTS}"):
        raise refusal("empty")
    if _SCHEME.match(stripped):
        raise refusal("scheme", instead=_instead(_host_of_url(stripped), suggest))
    host = _END_OF_HOST.split(stripped, maxsplit=1)[0]
    if "@" in host:
        raise refusal("user_info", instead=_instead(host.rpartition("@")[2], suggest))
    if host != stripped:
        raise refusal("path", instead=_instead(host, suggest))
    return stripped


def has_braces(text: str) -> bool:
    return "{" in text or "}" in text


def split_port(text: str) -> tuple[str, str | None]:
    """Part a name from what follows its colon, which is None where there is no colon."""
    if _ADDRESS.match(text):
        raise refusal("ip_literal")
    name, colon, port = text.partition(":")
    if ":" in port:
        raise refusal("port_invalid")
    return name, port if colon else None


def read_port(text: str) -> int:
    """Return the number of a port, or raise `DomainError`."""
    if not text:
        raise refusal("port_empty")
    if not _PORT.fullmatch(text) or int(text) > _HIGHEST_PORT:
        raise refusal("port_invalid")
    return int(text)


def _host_of_url(text: str) -> str | None:
    try:
        parsed = ada_url.parse_url(text, ("host",))
    except ValueError:
        return None
    return parsed.get("host")


def _instead(host: str | None, suggest: Suggest) -> str:
    found = suggest(host) if host else None
    return f"`{found}`" if found else "the name alone, such as `api.example.com`"
