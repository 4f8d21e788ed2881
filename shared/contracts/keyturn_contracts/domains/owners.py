"""To whom a name belongs: special-use names, public suffixes, and what several owners share."""

from collections.abc import Collection
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import NamedTuple

import ada_url
from publicsuffixlist import PublicSuffixList

from keyturn_contracts.domains.name import canonical_name
from keyturn_contracts.domains.problems import DomainError, refusal
from keyturn_contracts.domains.shared_names import (
    ONE_OWNER_EACH,
    OWNERS_AT_ANY_DEPTH,
    SHARED_NAMES_VERSION,
)

SUFFIX_LIST_VERSION = (
    f"publicsuffixlist {version('publicsuffixlist')}, keyturn {SHARED_NAMES_VERSION}"
)
"""Names both lists that rules are judged by: the bundled one, of which the last part is its date,
and our own."""
_OURS = {*ONE_OWNER_EACH, *OWNERS_AT_ANY_DEPTH}

_SPECIAL_USE = frozenset(
    {
        # IANA's registry (RFC 6761 and what joined it). All of arpa is the internet's own (RFC
        # 3172). `example.com`, `.net` and `.org` are in it too and are accepted: they exist, IANA
        # runs them, and people write documentation of them that works.
        *("alt", "arpa", "example", "invalid", "local", "localhost", "onion", "test"),
        # ICANN reserved it for private use in 2024.
        "internal",
        # What networks use without asking (RFC 6762, appendix G), and Linux distributions.
        *("corp", "home", "intranet", "lan", "localdomain", "private"),
    }
)


def refuse_ownerless(
    name: str,
    *,
    wildcard: bool = False,
    private: Collection[str] = (),
    wide_because: str | None = None,
) -> None:
    """Raise `DomainError` where nobody in particular owns the name, or what is below it.

    `name` is canonical. One that an operator allowed as a private host passes what refuses it for
    not being on the internet, and nothing else. `wide_because` lets pass what several owners share
    in the private section of the list or in our own; never what a registry sells (`com`, `co.uk`).
    """
    suffixes = _suffixes()
    is_allowed = not wildcard and is_private(name, private)
    if not is_allowed and name.rpartition(".")[2] in _SPECIAL_USE:
        raise refusal("special_use", name=name)
    is_top = wildcard or "." not in name
    if suffixes.registries.is_public(name) or (is_top and name in suffixes.above_registries):
        raise refusal("public_suffix", name=name)
    if not is_allowed:
        _refuse_unregistered(name, suffixes)
    if not (wide_because and wide_because.strip()):
        _refuse_shared(name, suffixes, wildcard=wildcard)
    if "_" in (suffixes.all.privatesuffix(name) or ""):
        raise refusal("bad_character", character="“_” (U+005F LOW LINE), in the registered part,")


def _refuse_unregistered(name: str, suffixes: "_Suffixes") -> None:
    if "." not in name:
        raise refusal("single_label", name=name)
    if suffixes.all.publicsuffix(name) is None:
        raise refusal("unknown_suffix", name=name, last=name.rpartition(".")[2])


def _refuse_shared(name: str, suffixes: "_Suffixes", *, wildcard: bool) -> None:
    is_shared = suffixes.all.is_public(name) or name in _OURS
    if wildcard and (is_shared or name in suffixes.above_any or _is_among_owners(name)):
        raise refusal("wildcard_spans_owners", name=name)
    if is_shared:
        raise refusal("public_suffix", name=name)


def _is_among_owners(name: str) -> bool:
    return any(name.endswith(f".{one}") for one in OWNERS_AT_ANY_DEPTH)


def is_private(name: str, private: Collection[str]) -> bool:
    """Tell whether an operator allowed this very name, however the operator spelt it."""
    return any(_spelt(one) == name for one in private)


def _spelt(host: str) -> str | None:
    try:
        return canonical_name(host)
    except DomainError:
        return None


class _Suffixes(NamedTuple):
    all: PublicSuffixList
    registries: PublicSuffixList
    """The section of ICANN alone."""
    above_any: frozenset[str]
    """Every suffix and every name of our own list, and every name above one."""
    above_registries: frozenset[str]


@cache
def _suffixes() -> _Suffixes:
    content = files("publicsuffixlist").joinpath("public_suffix_list.dat").read_bytes()
    of_registries = content.partition(b"===END ICANN DOMAINS===")[0]
    return _Suffixes(
        all=PublicSuffixList(content, accept_unknown=False),
        registries=PublicSuffixList(content, accept_unknown=False, only_icann=True),
        above_any=_at_and_above(b"\n".join([content, *(one.encode() for one in _OURS)])),
        above_registries=_at_and_above(of_registries),
    )


def _at_and_above(content: bytes) -> frozenset[str]:
    found: set[str] = set()
    for line in content.decode().splitlines():
        rule = line.partition(" ")[0].strip().lower()
        if not rule or rule.startswith(("//", "!")):
            continue
        name = rule.removeprefix("*.")
        if not name.isascii():
            name = ada_url.idna_to_ascii(name).decode()
        while name:
            found.add(name)
            name = name.partition(".")[2]
    return frozenset(found)
