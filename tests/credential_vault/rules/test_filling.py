"""What was accepted stands in the place of what a newer manifest says."""

from dataclasses import replace

import pytest
from keyturn_contracts.catalog import DerivedSetting, DomainRule, FieldSpec, Manifest
from keyturn_contracts.installation import DeclaredDomain

from services.credential_vault.rules.entitlement import Entitlement, in_force
from services.credential_vault.rules.fields import check_settings, with_defaults, with_derived
from services.credential_vault.rules.filling import Filling, filled_by, filling_of
from tests.credential_vault.given import PAGER, PUBLISHED, SMTP

NEWEST = PUBLISHED.model_copy(update={"manifest": PAGER, "version": 2})
SLOTS = (DomainRule(rule="{made}", purpose="x", slots={"made": ".*"}),)
TOLD = DeclaredDomain(
    rule="{made}",
    slots={"made": ".*"},
    derived={"made": ("{region}.example.com", "{host}")},
    defaults={"region": "eu"},
)
ACCEPTED = filling_of([TOLD]) or Filling()


def manifest(
    settings: dict[str, str | None], derived: dict[str, tuple[str, ...]] | None = None
) -> Manifest:
    return PAGER.model_copy(
        update={
            "settings": tuple(
                FieldSpec(name=name, title=name, default=one, required=False)
                for name, one in settings.items()
            ),
            "derived": tuple(
                DerivedSetting(name=name, first_of=some) for name, some in (derived or {}).items()
            ),
        }
    )


def test_the_names_are_the_slots_and_those_of_their_templates() -> None:
    assert ACCEPTED.names == {"made", "region", "host"}
    assert filling_of([DeclaredDomain(rule="api.example.com")]) == Filling()


@pytest.mark.parametrize("missing", ["derived", "defaults"])
def test_of_slots_without_what_fills_them_nothing_is_known(missing: str) -> None:
    assert filling_of([TOLD, TOLD.model_copy(update={missing: None})]) is None


@pytest.mark.parametrize(
    "newer",
    [
        manifest({"region": "eu", "host": None}, {"made": ("evil.example.net",)}),
        manifest({"region": "evil", "host": "evil.example.net"}, {"made": ("{region}",)}),
        manifest({"region": None, "host": None, "made": "evil.example.net"}),
        manifest({"host": "evil.example.net"}, {"region": ("evil",), "made": ("{host}",)}),
        manifest({}, {}),
    ],
    ids=["template", "defaults", "a setting instead", "derived instead", "gone"],
)
def test_whatever_a_newer_manifest_says_a_slot_comes_out_as_accepted(newer: Manifest) -> None:
    filled = filled_by(newer, ACCEPTED)

    assert with_derived(filled, {})["made"] == "eu.example.com"
    assert with_derived(filled, {"region": "us"})["made"] == "us.example.com"
    assert with_derived(filled, {"region": "us", "made": "evil"})["made"] == "us.example.com"
    assert "host" not in with_defaults(filled, {})
    assert with_defaults(filled, {"region": "us"})["region"] == "us"
    check_settings(filled, {"region": "us"})


def test_a_slot_that_nothing_accepted_makes_is_absent() -> None:
    filled = filled_by(
        manifest({"made": None, "host": "evil.example.net"}),
        replace(ACCEPTED, defaults={}),
    )

    assert "made" not in with_derived(filled, {"made": "evil.example.net"})


def test_what_fills_no_slot_is_as_the_newest_manifest_says() -> None:
    filled = filled_by(manifest({"folder": "/new"}, {"path": ("{folder}/x",)}), ACCEPTED)

    assert with_derived(filled, {})["path"] == "/new/x"


def test_what_was_accepted_is_filled_in_however_long_it_is() -> None:
    """A manifest's bounds may be newer than what somebody accepted."""
    name, long = "x" * 300, "{host}" + "a" * 600
    told = DeclaredDomain(
        rule=f"{{{name}}}",
        slots={name: ".*"},
        derived={name: (long,) * 20},
        defaults={"host": "b" * 3000, f"{name}y": "c"},
    )
    accepted = filling_of([told]) or Filling()

    filled = filled_by(manifest({}, {}), replace(accepted, names=accepted.names | {f"{name}y"}))

    assert with_derived(filled, {})[name] == "b" * 3000 + "a" * 600
    assert with_defaults(filled, {})[f"{name}y"] == "c"


@pytest.mark.parametrize(
    ("entitlement", "is_known"),
    [
        (Entitlement(version=1, declared=SLOTS), False),
        (Entitlement(version=3, declared=SLOTS), False),
        (Entitlement(version=2, declared=SLOTS), True),
        (Entitlement(version=1), True),
        (Entitlement(version=1, declared=SLOTS, filling=ACCEPTED), True),
    ],
    ids=["older", "newer", "the same", "no slots", "told"],
)
def test_the_manifest_in_force_is_known_where_what_fills_its_slots_is(
    entitlement: Entitlement, *, is_known: bool
) -> None:
    assert (in_force(NEWEST, entitlement) is not None) == is_known


def test_the_platforms_own_holds_as_it_is() -> None:
    own = NEWEST.model_copy(update={"manifest": SMTP})

    assert in_force(own, Entitlement(version=1, filling=ACCEPTED)) == SMTP
