"""How a manifest's text is read: strictly, and as the manifest that travels."""

import pytest
from keyturn_contracts.catalog import Manifest
from keyturn_contracts.probes import SmtpProbe

from services.catalog.rules.manifest import ManifestError, read_manifest
from tests.catalog.manifests import ABSENT, SHIPPED, as_text, changed, written

RELAY = SHIPPED["smtp-relay"]
TEXT = as_text(written("smtp-relay"))


def test_the_relay_is_connected_with_a_password_and_its_own_settings() -> None:
    assert (RELAY.party, RELAY.category) == ("first", "email")
    assert {one.name: (one.default, one.secret) for one in RELAY.settings} == {
        "host": (None, False),
        "port": ("587", False),
        "security": ("starttls", False),
        "from_address": (None, False),
    }
    (scheme,) = RELAY.schemes
    assert scheme.id == "smtp-password"
    assert {one.name: one.secret for one in scheme.fields} == {"username": False, "password": True}
    assert scheme.probe == SmtpProbe(
        host="{host}",
        port="{port}",
        security="{security}",
        username="{username}",
        password="{password}",
    )
    (domain,) = RELAY.domains
    assert (domain.rule, set(domain.slots)) == ("{host}:{port}", {"host", "port"})
    assert RELAY.rotation.rotation_class == "operator_defined"
    assert RELAY.rotation.allows_overlap is None


def test_what_is_read_is_what_was_written_and_what_travels() -> None:
    read = read_manifest(TEXT)

    assert read == RELAY
    assert Manifest.model_validate_json(read.to_json()) == read


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        ("licence", "free", "licence: a manifest has no such key."),
        ("schemes.0.fields.1.colour", "red", "fields.1.colour: a manifest has no such key."),
        ("schemes.0.probe.path", "/", "schemes.0.probe.path: a manifest has no such key."),
        ("rotation", ABSENT, "rotation: Field required."),
        ("slug", "SMTP Relay", "slug: String should match pattern"),
        ("schemes.0.probe.protocol", ABSENT, "schemes.0.probe: Unable to extract tag"),
        ("domains", [], "none of the extension's domains covers."),
    ],
)
def test_what_the_contract_does_not_know_is_refused_by_its_place(
    place: str, value: object, sentence: str
) -> None:
    spoilt = changed("smtp-relay", place, value)
    if place == "domains":
        spoilt["additional_domains"]["allowed"] = False

    with pytest.raises(ManifestError) as refused:
        read_manifest(as_text(spoilt))

    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (TEXT + "\nname: Another\n", "the key name is given twice"),
        ("slug: [", "This is not YAML"),
        ("", "the manifest: "),
        ("- a\n- list\n", "the manifest: "),
        ("slug: !!python/object/apply:os.getcwd []", "This is not YAML"),
        ("slug: &it {a: *it}", "Something in it contains itself."),
    ],
)
def test_a_text_that_says_two_things_or_nothing_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ManifestError) as refused:
        read_manifest(text)

    assert sentence in str(refused.value)


def test_every_problem_is_told_at_once() -> None:
    spoilt = changed("smtp-relay", "preview", value=True)
    spoilt["settings"][0]["secret"] = True

    with pytest.raises(ManifestError) as refused:
        read_manifest(as_text(spoilt))

    assert "preview: only a third party's" in str(refused.value)
    assert "settings: host cannot be secret" in str(refused.value)


def test_a_host_that_an_operator_allows_may_be_named() -> None:
    spoilt = changed("tea-leaves", "domains.0.rule", "leaves.internal")
    spoilt["schemes"][0]["probe"]["url"] = "https://leaves.internal/v2/cup"

    with pytest.raises(ManifestError, match="not on the internet"):
        read_manifest(as_text(spoilt))

    assert read_manifest(as_text(spoilt), private=["leaves.internal"]).slug == "tea-leaves"
