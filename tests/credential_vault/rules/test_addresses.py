"""Which addresses may be reached."""

from ipaddress import ip_address, ip_network

import pytest
from keyturn_contracts.catalog import AdditionalDomains, DomainRule

from services.credential_vault.rules.addresses import (
    Address,
    OutOfReachError,
    is_name,
    is_public,
    reach_of,
    reachable,
)
from services.credential_vault.rules.entitlement import Entitlement
from tests.credential_vault.given import COMPLETE, PAGER, SMTP
from tests.credential_vault.watched import Watched

HOST = {"host": "mail.example.com", "port": "587"}


def find(url: str, *rules: DomainRule, **values: str) -> Address:
    manifest = SMTP.model_copy(update={"domains": rules or SMTP.domains})
    return reach_of(manifest, values or COMPLETE).find(url)


def why_not(url: str, *rules: DomainRule, **values: str) -> str:
    with pytest.raises(OutOfReachError) as refused:
        find(url, *rules, **values)
    return str(refused.value)


def rule(text: str, **slots: str) -> DomainRule:
    return DomainRule(rule=text, purpose="", slots=slots)


def test_an_account_reaches_the_exact_address_that_its_settings_give() -> None:
    expected = Address("mail.example.com", 587)

    assert find("smtp://mail.example.com:587") == expected
    assert find("smtp://MAIL.example.com.:587") == expected
    for other in ("mail.example.com:25", "mail.example.com.evil.net:587", "x.example.com:587"):
        assert why_not(f"smtp://{other}")


def test_the_address_is_the_one_that_was_judged_however_it_was_written() -> None:
    """A resolver that knows older rules for names would look up another one."""
    international = rule("bücher.example.com")

    assert find("https://BÜCHER.example.com/x", international) == ("xn--bcher-kva.example.com", 443)
    assert "every program reads alike" in why_not("https://straße.example.com", international)


@pytest.mark.parametrize(
    "host", ["", "a b", "mail.example.com/", "x@mail.example.com", "[::1]", "mail.example.com:1"]
)
def test_a_host_is_one_host_and_nothing_else(host: str) -> None:
    with pytest.raises(OutOfReachError):
        reach_of(SMTP, COMPLETE).find_host("smtp", host, 587)


def test_without_rules_everything_is_blocked() -> None:
    nothing = SMTP.model_copy(update={"domains": ()})

    with pytest.raises(OutOfReachError, match="All domains are blocked"):
        reach_of(nothing, COMPLETE).find("https://example.com")


def test_a_private_host_is_reached_where_an_operator_allowed_it_by_name() -> None:
    values = {"host": "localhost", "port": "25"}

    allowed = reach_of(SMTP, values, private=("localhost",))

    assert allowed.find("smtp://localhost:25") == ("localhost", 25)
    assert "reserved" in why_not("smtp://localhost:25", **values)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (r"[a-z]+", "mail.example.com"),
        (r".*", "*.example.com"),
        (r".*", "*"),
        (r".*", "127.0.0.1"),
        (r".*", "com"),
    ],
)
def test_a_slot_whose_value_does_not_fit_covers_nothing_and_says_why(
    pattern: str, value: str
) -> None:
    said = why_not("https://mail.example.com", rule("{host}", host=pattern), host=value)

    assert "not on the list" not in said
    assert "no domain" not in said


def test_a_slot_that_nobody_filled_covers_nothing() -> None:
    assert why_not("https://mail.example.com", rule("{region}.example.com", region="[a-z]+"), x="")


@pytest.mark.parametrize(("pattern", "is_good"), [("[a-z]+", True), ("[0-9]+", False)])
def test_a_value_is_matched_once_with_a_pattern_that_many_domains_have(
    pattern: str, *, is_good: bool
) -> None:
    many = [rule(f"{{team}}.d{one}.example.com", team=pattern) for one in range(100)]
    manifest = SMTP.model_copy(update={"domains": tuple(many)})
    team = Watched("acme")

    reach = reach_of(manifest, {"team": team})

    assert team.reads == 1
    assert reach.rules.allows("acme.d99.example.com", 443) == is_good


def test_what_a_brand_added_is_reached_where_the_extension_lets_it() -> None:
    lets = SMTP.model_copy(update={"additional_domains": AdditionalDomains(allowed=True, why="x")})
    added = Entitlement(added=("*.example.org",))

    assert reach_of(reachable(lets, added), HOST).find("https://api.example.org").port == 443
    with pytest.raises(OutOfReachError):
        reach_of(reachable(SMTP, added), HOST).find("https://api.example.org")


def test_of_a_third_party_only_what_was_accepted_is_reached() -> None:
    asked_for = rule("api.example.com"), rule("evil.example.net")
    newest = PAGER.model_copy(update={"domains": asked_for})
    reach = reach_of(reachable(newest, Entitlement(declared=asked_for[:1])), {})

    assert reach.find("https://api.example.com").host == "api.example.com"
    with pytest.raises(OutOfReachError):
        reach.find("https://evil.example.net")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("mail.example.com", True),
        ("localhost", True),
        ("1.example", True),
        ("127.0.0.1", False),
        ("127.1", False),
        ("2130706433", False),
        ("0x7f000001", False),
        ("10.0.0.0x1", False),
        ("127.0.0.1.", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("", False),
        (".", False),
    ],
)
def test_an_address_in_any_notation_is_no_name(host: str, *, expected: bool) -> None:
    assert is_name(host) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("::ffff:93.184.215.14", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104  nothing listens here
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("240.0.0.1", False),
        ("198.18.0.1", False),
        ("192.0.2.1", False),
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b::5db8:d70e", True),
        ("2002:7f00:1::", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
        ("2001:db8::1", False),
        ("2600::1", True),
        ("2a00:1450:4001:81b::200e", True),
        ("168.63.129.15", True),
        ("192.0.1.1", True),
        ("100.128.0.1", True),
    ],
)
def test_only_what_everyone_can_reach_is_public(address: str, *, expected: bool) -> None:
    assert is_public(ip_address(address)) == expected


SPECIAL_V4 = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.0.0/29",
    "192.0.0.8/32",
    "192.0.0.9/32",
    "192.0.0.10/32",
    "192.0.0.170/31",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
)
SPECIAL_V6 = (
    "::/128",
    "::1/128",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001::/32",
    "2001:1::1/128",
    "2001:1::2/128",
    "2001:1::3/128",
    "2001:2::/48",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:30::/28",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
)
METADATA = (
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::a9fe:a9fe",
)
"""Of Azure, of most clouds, of containers at Amazon, Alibaba, Oracle; Amazon and Google by IPv6."""


@pytest.mark.parametrize("network", [*SPECIAL_V4, *SPECIAL_V6])
def test_nothing_in_a_special_purpose_registry_is_public(network: str) -> None:
    """Those of IANA for IPv4 and IPv6, with multicast and the site-local addresses of old."""
    special = ip_network(network)

    assert not is_public(special[0])
    assert not is_public(special[special.num_addresses // 2])
    assert not is_public(special[-1])


@pytest.mark.parametrize("address", METADATA)
def test_what_gives_a_cloud_machine_its_credentials_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


def embedded(inner: str) -> list[str]:
    """Return the IPv6 addresses that packets to an IPv4 address may be sent to."""
    high, low = (f"{int(ip_address(inner)) >> shift & 0xFFFF:x}" for shift in (16, 0))
    teredo = int(ip_address(inner)) ^ 0xFFFFFFFF
    return [
        f"::ffff:{inner}",
        f"::ffff:0:{inner}",
        f"::{inner}",
        f"64:ff9b::{inner}",
        f"64:ff9b:1::{inner}",
        f"64:ff9b:1:{high}:{low}::",
        f"2002:{high}:{low}::1",
        f"2001:0:{high}:{low}::1",
        f"2001:0:808:808::{teredo >> 16:x}:{teredo & 0xFFFF:x}",
    ]


@pytest.mark.parametrize(
    "inner", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "168.63.129.16", "100.100.100.200"]
)
def test_an_address_inside_another_is_judged_too(inner: str) -> None:
    assert [one for one in embedded(inner) if is_public(ip_address(one))] == []


def test_of_the_ways_to_an_address_that_is_public_two_lead_there() -> None:
    """Mapped, and by the translation that networks without IPv4 use; the others are history."""
    public = [one for one in embedded("93.184.215.14") if is_public(ip_address(one))]

    assert public == ["::ffff:93.184.215.14", "64:ff9b::93.184.215.14"]
