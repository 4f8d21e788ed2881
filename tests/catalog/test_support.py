"""Whom to turn to, for each problem, of first and third parties alike."""

import pytest
from keyturn_contracts.catalog import SupportDetails

from services.catalog.rules.support import Problem, Side, by_of, route, support_of
from services.catalog.settings import CatalogSettings
from tests.catalog.given import RELAY, VENDOR, first_party, third_party

PLATFORM = SupportDetails(
    name="Keyturn support",
    email="support@keyturn.example",
    documentation="https://keyturn.example/docs",
)
RELAY_DOCUMENTATION = "https://keyturn.example/docs/relay"


@pytest.mark.parametrize(
    ("problem", "sides", "said"),
    [
        ("vendor", ["vendor"], "Parcels Inc. knows its own product"),
        ("workflow", ["platform"], "Workflows are built in Keyturn"),
        ("interface", ["platform", "vendor"], "begin with Keyturn support"),
    ],
)
def test_of_a_third_party_it_depends_on_the_problem(
    problem: Problem, sides: list[Side], said: str
) -> None:
    routing = route(third_party(), problem, "Keyturn", PLATFORM)

    assert [one.side for one in routing.contacts] == sides
    assert said in routing.reason
    details = {one.side: one.details for one in routing.contacts}
    assert details.get("vendor", VENDOR) == VENDOR
    assert details.get("platform", PLATFORM) == PLATFORM


@pytest.mark.parametrize("problem", ["vendor", "workflow", "interface"])
def test_of_a_first_party_it_is_always_the_platforms(problem: Problem) -> None:
    routing = route(RELAY, problem, "Keyturn", PLATFORM)

    [contact] = routing.contacts
    assert contact.side == "platform"
    assert contact.details == PLATFORM
    assert "SMTP Relay is by Keyturn" in routing.reason


def test_of_a_first_party_extension_the_operators_setting_holds() -> None:
    own = first_party(
        "relay",
        support=SupportDetails(
            name="Whoever", email="who@ever.example", documentation=RELAY_DOCUMENTATION
        ),
    )
    bare = SupportDetails(name="Keyturn support")

    assert support_of(own, PLATFORM).details == PLATFORM
    assert support_of(own, bare).details == bare.model_copy(
        update={"documentation": RELAY_DOCUMENTATION}
    )
    for platform in (PLATFORM, bare):
        without = RELAY.model_copy(update={"support": None})
        assert support_of(without, platform).details == platform


def test_an_operator_who_sets_nothing_has_support_of_the_platforms_name() -> None:
    assert CatalogSettings().support == SupportDetails(name="Keyturn support")
    assert CatalogSettings(platform="Acme").support == SupportDetails(name="Acme support")
    assert CatalogSettings(platform="Acme", support=PLATFORM).support == PLATFORM


def test_the_by_line_names_the_platform_or_the_company() -> None:
    assert by_of(RELAY, "Turnstile") == "Turnstile"
    assert by_of(third_party(), "Turnstile") == "Parcels Inc."
    assert by_of(third_party(by=None), "Turnstile") == "parcels-inc"
