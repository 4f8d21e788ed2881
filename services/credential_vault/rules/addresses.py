"""Which addresses an account may connect to: its manifest's rules, with its own settings."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

from keyturn_contracts.catalog import DomainRule, Manifest
from keyturn_contracts.domains import DomainError, Rule, RuleSet

from services.credential_vault.rules.domain import Filler
from services.credential_vault.rules.entitlement import Entitlement

_NAT64 = IPv6Network("64:ff9b::/96")
_SPECIAL_V4 = tuple(
    IPv4Network(one)
    for one in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24"),
        *("192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        # Answers any machine in Azure, as 169.254.169.254 does elsewhere.
        "168.63.129.16/32",
    )
)
"""The IPv4 Special-Purpose Address Registry of IANA, and multicast.

Also what it calls globally reachable: those are anycasts and sinks of the network, and nobody's
servers. Metadata services of clouds are in it: link-local, or shared address space
(100.100.100.200), or 192.0.0.192.
"""
_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All else is special: loopback, mapped and compatible, local NAT64, discard, segment routing,
unique and site local, link-local, multicast; or not given out."""
_SPECIAL_V6 = tuple(
    IPv6Network(one)
    for one in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
"""The rest of IANA's registry for IPv6: protocols (Teredo too), documentation, 6to4, AS112."""
_ONE_HOST = re.compile(r"[^\s/?#@:\\%\[\]]+")
"""What cannot be read as more than a host when a URL is made of it."""


class Address(NamedTuple):
    """Where to connect to. The host is in A-labels and small letters: the one that was judged."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class OutOfReachError(ValueError):
    """The account may not connect there. Its text is for people."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What one account may connect to. No rules: everything is blocked."""

    rules: RuleSet
    problem: str | None = None
    """Why a rule of the manifest, with this account's settings, lets nothing through."""

    def find(self, url: str) -> Address:
        """Return the address that a URL means, or raise `OutOfReachError`.

        Who connects uses the address and not the URL: other programs may read that differently.
        """
        found = self.rules.decide(url)
        if found.allowed and found.host is not None and found.port is not None:
            return Address(found.host, found.port)
        not_listed = found.code in {"nothing_listed", "not_listed"}
        raise OutOfReachError(self.problem if not_listed and self.problem else found.sentence)

    def find_host(self, scheme: str, host: str, port: int) -> Address:
        """Return the address of a host and a port, or raise `OutOfReachError`."""
        if not _ONE_HOST.fullmatch(host):
            raise OutOfReachError("The host is no name: write the server's name alone.")
        return self.find(f"{scheme}://{host}:{port}")


def reach_of(
    manifest: Manifest, values: Mapping[str, str], *, private: Collection[str] = ()
) -> Reach:
    """Return where an account with these settings and derived values may connect to.

    A rule covers nothing where a slot has no value or one that does not match its pattern.
    `private`: hosts that an operator allows by name although they are not on the internet.
    """
    filler = Filler(values, private)
    rules: list[Rule] = []
    problem: str | None = None
    for one in manifest.domains:
        try:
            rule = filler.fill(one)
        except DomainError as error:
            problem = problem or error.message
        else:
            rules += [rule] if rule is not None else []
    return Reach(RuleSet(rules), problem)


def reachable(manifest: Manifest, entitlement: Entitlement) -> Manifest:
    """Return the manifest with the domains that the brand may reach with it.

    Of a third party's they are those in force, which somebody accepted: a newer version's wait for
    that. A first party's come with the licence.
    """
    declared = manifest.domains if manifest.party == "first" else entitlement.declared
    added = entitlement.added if manifest.may_add_domains else ()
    purpose = "The brand added it."
    rules = (DomainRule.model_construct(rule=one, purpose=purpose) for one in added)
    return manifest.model_copy(update={"domains": (*declared, *rules)})


def is_name(host: str) -> bool:
    """Tell whether it is a host name, and not an address in any notation that resolvers take."""
    last = host.rstrip(".").rpartition(".")[2]
    # A resolver reads `127.1`, `0x7f.1` and `2130706433` as addresses; no top-level domain is so.
    return bool(last) and ":" not in host and not re.fullmatch(r"[0-9]+|0[xX][0-9a-fA-F]*", last)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address is reachable by everyone, so that nothing private answers there.

    Python's own tables are as old as its release, so they are asked besides, and never alone.
    """
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in one for one in _SPECIAL_V4)
    if (inner := _inside(address)) is not None:
        return is_public(inner)
    return (
        address in _GLOBAL_UNICAST
        and address.is_global
        and not any(address in one for one in _SPECIAL_V6)
    )


def _inside(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that packets to this one really go to."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(address.packed[12:]) if address in _NAT64 else None
