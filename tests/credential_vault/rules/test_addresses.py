"""Which addresses may be reached."""

from ipaddress import ip_address

import pytest
from keyturn_contracts.catalog import DomainRule

from services.credential_vault.rules.addresses import is_name, is_public, may_connect
from tests.credential_vault.given import COMPLETE, SMTP

HOST = {"host": "mail.example.com", "port": "587"}


def reach(rule: str, host: str, port: int = 443, **slots: str) -> bool:
    manifest = SMTP.model_copy(
        update={"domains": (DomainRule(rule=rule, purpose="", slots=slots),)}
    )
    return may_connect(manifest, HOST, host, port)


def test_an_account_reaches_the_exact_address_that_its_settings_give() -> None:
    assert may_connect(SMTP, COMPLETE, "mail.example.com", 587)
    assert may_connect(SMTP, COMPLETE, "MAIL.example.com", 587)
    assert not may_connect(SMTP, COMPLETE, "mail.example.com", 25)
    assert not may_connect(SMTP, COMPLETE, "mail.example.com.evil.test", 587)
    assert not may_connect(SMTP, COMPLETE, "other.example.com", 587)


def test_without_rules_everything_is_blocked() -> None:
    assert not may_connect(SMTP.model_copy(update={"domains": ()}), COMPLETE, "example.com", 443)


@pytest.mark.parametrize(
    ("rule", "host", "expected"),
    [
        ("api.example.com", "api.example.com", True),
        ("api.example.com", "x.api.example.com", False),
        ("*.example.com", "api.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", ".example.com", False),
        ("*.example.com", "badexample.com", False),
    ],
)
def test_a_rule_is_a_name_or_everything_below_a_name(
    rule: str, host: str, *, expected: bool
) -> None:
    assert reach(rule, host) == expected


@pytest.mark.parametrize(
    ("rule", "port", "expected"),
    [
        ("a.example", 443, True),
        ("a.example", 80, False),
        ("a.example:80", 80, True),
        ("a.example:80", 443, False),
        ("a.example:x", 443, False),
    ],
)
def test_a_rule_without_a_port_means_443(rule: str, port: int, *, expected: bool) -> None:
    assert reach(rule, "a.example", port) == expected


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        (r"[a-z.]+", "mail.example.com", True),
        (r"[a-z]+", "mail.example.com", False),
        (r".*", "*.example.com", False),
        (r".*", "*", False),
    ],
)
def test_a_slot_whose_value_does_not_fit_covers_nothing(
    pattern: str, value: str, *, expected: bool
) -> None:
    manifest = SMTP.model_copy(
        update={"domains": (DomainRule(rule="{host}", purpose="", slots={"host": pattern}),)}
    )

    assert may_connect(manifest, {"host": value}, "mail.example.com", 443) == expected


def test_a_slot_that_nobody_described_or_filled_covers_nothing() -> None:
    assert not reach("{host}", "mail.example.com")
    assert not reach("{region}.example.com", "eu.example.com", region="[a-z]+")


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
    ],
)
def test_only_what_everyone_can_reach_is_public(address: str, *, expected: bool) -> None:
    assert is_public(ip_address(address)) == expected
