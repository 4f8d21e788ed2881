"""Which addresses an account may connect to: its manifest's rules, with its own settings."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

from keyturn_contracts.catalog import DomainRule, Manifest

_SLOT = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_DEFAULT_PORT = 443
_NAT64_PREFIX = b"\x00\x64\xff\x9b" + bytes(8)


def may_connect(manifest: Manifest, settings: Mapping[str, str], host: str, port: int) -> bool:
    """Tell whether one of the manifest's rules, filled with these settings, covers the address.

    No rules: nothing may be reached. A slot whose value does not match the slot's pattern makes
    its rule cover nothing.
    """
    return any(_covers(rule, settings, host.lower(), port) for rule in manifest.domains)


def is_name(host: str) -> bool:
    """Tell whether it is a host name, and not an address in any notation that resolvers take."""
    last = host.rstrip(".").rpartition(".")[2]
    # A resolver reads `127.1`, `0x7f.1` and `2130706433` as addresses; no top-level domain is so.
    return bool(last) and ":" not in host and not re.fullmatch(r"[0-9]+|0[xX][0-9a-fA-F]*", last)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address is reachable by everyone, so that nothing private answers there."""
    if isinstance(address, IPv6Address):
        if (inner := _inside(address)) is not None:
            return is_public(inner)
        if address.sixtofour is not None or address.teredo is not None:
            return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )


def _inside(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that packets to this one really go to."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.packed.startswith(_NAT64_PREFIX):
        return IPv4Address(address.packed[12:])
    return None


def _covers(rule: DomainRule, settings: Mapping[str, str], host: str, port: int) -> bool:
    filled = _fill(rule, settings)
    if filled is None:
        return False
    name, separator, of_port = filled.lower().partition(":")
    if separator and not of_port.isdecimal():
        return False
    if port != (int(of_port) if separator else _DEFAULT_PORT):
        return False
    if name.startswith("*."):
        return host.endswith(name[1:]) and len(host) >= len(name)
    return host == name


def _fill(rule: DomainRule, settings: Mapping[str, str]) -> str | None:
    values: dict[str, str] = {}
    for slot in _SLOT.findall(rule.rule):
        value, pattern = settings.get(slot), rule.slots.get(slot)
        # A star that came from a setting would widen the rule to whatever its sender likes.
        if value is None or pattern is None or "*" in value or not re.fullmatch(pattern, value):
            return None
        values[slot] = value
    return _SLOT.sub(lambda found: values[found[1]], rule.rule)
