"""Which addresses accounts' settings give, and what the effective list is made of."""

import pytest
from keyturn_contracts.catalog import FieldSpec
from keyturn_contracts.installation import MAX_HOSTS, AccountHost

from services.installation.rules.reach import Settings, effective, hosts_of
from services.installation.rules.review import Review
from tests.credential_vault.watched import Watched
from tests.installation import given
from tests.installation.given import API, SERVER, domain, review
from tests.installation.rules.on_desk import added, installation

NOBODY: frozenset[str] = frozenset()


def settings(host: str = "smtp.example.net", port: str = "587", accounts: int = 1) -> Settings:
    return Settings({"host": host, "port": port}, accounts)


def given_by(shown: Review, *accounts: Settings, private: frozenset[str] = NOBODY) -> list[str]:
    return [one.rule for one in hosts_of(shown.domains, accounts, (), private).kept]


def test_accounts_give_exact_hosts_each_counted_once() -> None:
    found = hosts_of(
        review().domains, [settings(accounts=2), settings(port="443"), settings()], (), NOBODY
    )

    assert found.kept == (
        AccountHost(rule="smtp.example.net", accounts=1),
        AccountHost(rule="smtp.example.net:587", accounts=3),
    )
    assert found.left_out == 0


def test_a_value_that_does_not_match_its_slot_gives_nothing() -> None:
    assert given_by(review(), settings(port="many"), settings(host="*.example.net")) == []


def test_an_address_that_nobody_may_reach_gives_nothing() -> None:
    strange = ("127.0.0.1", "2130706433", "localhost", "mail.internal", "com", "a@example.net")

    assert given_by(review(), *(settings(host=one) for one in strange)) == []


def test_a_private_host_gives_one_where_an_operator_allowed_it() -> None:
    found = given_by(review(), settings(host="localhost"), private=frozenset({"localhost"}))

    assert found == ["localhost:587"]


def test_a_setting_that_is_left_out_has_the_default_that_was_accepted() -> None:
    port = FieldSpec(name="port", title="Port", default="587")
    filled = review(settings=(FieldSpec(name="host", title="Host"), port))
    made = review(
        domains=(domain("{server}", slots={"server": given.HOST}),),
        derived=(given.derived("server", "{region}.example.com"),),
        settings=(FieldSpec(name="region", title="Region", default="eu"),),
    )
    host = Settings({"host": "smtp.example.net"})

    assert given_by(filled, host) == ["smtp.example.net:587"]
    assert given_by(filled, settings(port="25")) == ["smtp.example.net:25"]
    assert given_by(filled, settings(port="")) == [], "it was given, and is empty"
    assert given_by(made, Settings({}), Settings({"region": "us"})) == [
        "eu.example.com",
        "us.example.com",
    ]


def test_a_setting_that_is_missing_gives_nothing() -> None:
    assert given_by(review(), Settings({"host": "smtp.example.net"})) == []


def test_an_international_host_is_stored_in_a_labels() -> None:
    shown = review(domains=(domain("{host}", slots={"host": ".+"}),))

    assert given_by(shown, settings(host="Bücher.example.com.")) == ["xn--bcher-kva.example.com"]


def test_a_slot_may_be_filled_by_the_first_complete_template() -> None:
    shown = review(
        domains=(domain("{server}", slots={"server": given.HOST}),),
        derived=(given.derived("server", "{custom}", "{instance}.example.com"),),
    )

    assert given_by(shown, Settings({"instance": "acme"})) == ["acme.example.com"]
    assert given_by(shown, Settings({"instance": "acme", "custom": "my.example.org"})) == [
        "my.example.org"
    ]
    assert given_by(shown, Settings({"other": "acme"})) == []


@pytest.mark.parametrize(("pattern", "hosts"), [("[a-z]+", 100), ("[0-9]+", 0)])
def test_a_value_is_matched_once_with_a_pattern_that_many_domains_have(
    pattern: str, hosts: int
) -> None:
    many = (domain(f"{{host}}.d{one}.example.com", slots={"host": pattern}) for one in range(100))
    shown, host = review(domains=tuple(many)), Watched("acme")

    assert len(given_by(shown, settings(host=host), settings(host=host, port="25"))) == hosts
    assert host.reads == 1


def test_a_slot_below_a_name_stays_below_it() -> None:
    shown = review(domains=(domain("{instance}.example.com", slots={"instance": ".+"}),))

    assert given_by(
        shown,
        Settings({"instance": "acme"}),
        Settings({"instance": "acme.example.org/"}),
        Settings({"instance": "x@evil.example.org#"}),
    ) == ["acme.example.com"]


def test_what_is_beyond_the_most_is_left_out_and_old_hosts_keep_their_places() -> None:
    old = [settings(host=f"z{one:04}.example.net") for one in range(MAX_HOSTS)]
    first = hosts_of(review().domains, old, (), NOBODY)
    new = [settings(host=f"a{one:04}.example.net") for one in range(10)]

    second = hosts_of(review().domains, [*new, *old], first.kept, NOBODY)
    third = hosts_of(review().domains, [*new, *old[5:]], second.kept, NOBODY)

    assert (len(first.kept), first.left_out) == (MAX_HOSTS, 0)
    assert (second.kept, second.left_out) == (first.kept, 10)
    assert (len(third.kept), third.left_out) == (MAX_HOSTS, 5)
    assert [one.rule for one in third.kept[:5]] == [
        f"a{one:04}.example.net:587" for one in range(5)
    ]


def test_very_long_hosts_leave_room_for_the_event() -> None:
    label = "x" * 60
    shown = review(domains=(domain("{host}", slots={"host": given.HOST}),))
    accounts = [
        settings(host=f"a{one:04}.{label}.{label}.{label}.example.com") for one in range(1500)
    ]

    found = hosts_of(shown.domains, accounts, (), NOBODY)

    assert sum(len(one.rule) for one in found.kept) <= 120 * 1024
    assert found.left_out == 1500 - len(found.kept) > 0


def test_the_effective_list_is_what_is_declared_added_and_given_each_once() -> None:
    hosts = (AccountHost(rule="smtp.example.net:587", accounts=1),)

    assert effective(review().domains, ["pictures.example.org", "api.example.com"], hosts) == (
        "api.example.com",
        "pictures.example.org",
        "smtp.example.net:587",
    )
    assert effective((), [], ()) == ()


def test_only_what_is_installed_reaches_or_reads_anything() -> None:
    for state in ("suspended", "uninstalling", "uninstalled"):
        found = installation(state=state, added=added("pictures.example.org"))
        assert found.domains == ()
        assert found.permissions == ()
    found = installation()
    assert found.domains == ("api.example.com",)
    assert found.permissions == ("contacts",)


def test_what_a_brand_added_is_blocked_where_it_may_add_nothing_any_more() -> None:
    fixed = review(domains=(API, SERVER), additional_domains=given.FIXED)

    assert installation(fixed, added=added("pictures.example.org")).domains == ("api.example.com",)
