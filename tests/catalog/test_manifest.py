"""What a manifest may say."""

import pytest
import yaml
from keyturn_contracts.catalog import Manifest, SmtpProbe

from services.catalog.jobs import MANIFESTS, read_manifests
from services.catalog.rules.manifest import ManifestError, read_manifest

SMTP_RELAY = (MANIFESTS / "smtp-relay.yaml").read_text(encoding="utf-8")

SCHEME = yaml.safe_load(SMTP_RELAY)["schemes"][0]
ABSENT = object()


def given_manifest(place: str, value: object) -> str:
    """Return the relay's manifest with another value in one place."""
    manifest = yaml.safe_load(SMTP_RELAY)
    *steps, name = place.split(".")
    inside = manifest
    for step in steps:
        inside = inside[int(step) if step.isdigit() else step]
    if value is ABSENT:
        del inside[name]
    else:
        inside[name] = value
    return yaml.safe_dump(manifest)


def test_the_relay_is_connected_with_a_password_and_its_own_settings() -> None:
    relay = read_manifest(SMTP_RELAY)

    assert (relay.slug, relay.party, relay.category) == ("smtp-relay", "first", "email")
    assert {one.name: (one.default, one.secret) for one in relay.settings} == {
        "host": (None, False),
        "port": ("587", False),
        "security": ("starttls", False),
        "from_address": (None, False),
    }
    (scheme,) = relay.schemes
    assert scheme.id == "smtp-password"
    assert {one.name: one.secret for one in scheme.fields} == {"username": False, "password": True}
    assert scheme.probe == SmtpProbe(
        host="{host}",
        port="{port}",
        security="{security}",
        username="{username}",
        password="{password}",
    )
    (domain,) = relay.domains
    assert (domain.rule, set(domain.slots)) == ("{host}:{port}", {"host", "port"})
    assert relay.rotation.rotation_class == "operator_defined"
    assert relay.rotation.allows_overlap is None


def test_what_is_read_is_what_travels() -> None:
    relay = read_manifest(SMTP_RELAY)

    assert Manifest.model_validate_json(relay.to_json()) == relay


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        ("licence", "free", "licence: a manifest has no such key."),
        ("schemes.0.fields.1.colour", "red", "fields.1.colour: a manifest has no such key."),
        ("schemes.0.probe.path", "/", "schemes.0.probe.path: a manifest has no such key."),
        ("rotation", ABSENT, "rotation: Field required."),
        ("slug", "SMTP Relay", "slug: String should match pattern"),
        (
            "schemes.0.fields.1.default",
            "hunter2",
            "schemes: smtp-password: password is secret and has a default",
        ),
        ("settings.0.secret", True, "settings: host cannot be secret"),
        ("settings.0.name", "Host!", "settings: 'Host!' is no name"),
        ("settings.1.name", "host", "settings: host is there twice."),
        ("settings.1.default", "none", "the default of port does not match its own pattern."),
        ("settings.0.pattern", "[a-z", "settings: the pattern of host is no regular expression."),
        ("schemes.0.fields.1.name", "username", "smtp-password: username is there twice."),
        ("schemes", [SCHEME, SCHEME], "schemes: smtp-password is there twice."),
        ("schemes", [], "schemes: there is none, so nobody could connect."),
        ("schemes.0.fields.0.name", "host", "schemes: smtp-password: host is a setting too"),
        (
            "schemes.0.probe.username",
            "{user}",
            "the probe's username names user, no setting and no field of it.",
        ),
        (
            "schemes.0.probe.host",
            "{password}.example.com",
            "the probe's host would show the secret password.",
        ),
        (
            "schemes.0.probe.port",
            "{port",
            "the probe's port has a brace that opens or closes nothing.",
        ),
        ("domains.0.rule", "{server}:{port}", "{server}:{port} names server, which is no setting."),
        ("domains.0.slots.port", ABSENT, "{host}:{port} and its slots differ about port."),
        ("domains.0.slots.security", "tls", "{host}:{port} and its slots differ about security."),
        ("domains.0.slots.port", "(", "the slot port of {host}:{port} is no regular expression."),
        ("domains.0.rule", "{host}:{port}}", "has a brace that opens or closes nothing."),
    ],
)
def test_what_could_not_work_or_would_show_a_secret_is_refused_by_name(
    place: str, value: object, sentence: str
) -> None:
    with pytest.raises(ManifestError) as refused:
        read_manifest(given_manifest(place, value))

    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (SMTP_RELAY + "\nname: Another\n", "the key name is given twice"),
        ("slug: [", "This is not YAML"),
        ("", "the manifest: "),
        ("- a\n- list\n", "the manifest: "),
        ("slug: !!python/object/apply:os.getcwd []", "This is not YAML"),
    ],
)
def test_a_text_that_says_two_things_or_nothing_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ManifestError) as refused:
        read_manifest(text)

    assert sentence in str(refused.value)


def test_every_manifest_that_the_catalog_comes_with_can_be_published() -> None:
    assert [one.slug for one in read_manifests(MANIFESTS)] == ["smtp-relay"]
