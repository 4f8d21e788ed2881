"""What a manifest may not say: each refusal once, in a sentence that names the place."""

from typing import Any

import pytest
from keyturn_contracts.catalog import Manifest

from services.catalog.rules.manifest import problems_of
from tests.catalog.manifests import ABSENT, ALL, changed, written

LEAVES = "tea-leaves"
PIGEON = "parcel-pigeon"
PIGEON_SCHEMES = written(PIGEON)["schemes"]
LOFT = "https://{loft}.parcel-pigeon.example.net"
SLOT = "[a-z0-9]{1,20}"


def told(slug: str, place: str, value: object) -> list[str]:
    return problems_of(Manifest.model_validate(changed(slug, place, value)))


@pytest.mark.parametrize("slug", sorted(ALL))
def test_what_is_shipped_has_no_problem(slug: str) -> None:
    assert problems_of(ALL[slug]) == []


@pytest.mark.parametrize(
    ("slug", "place", "value", "sentence"),
    [
        # Whom it is from.
        ("slack", "preview", True, "preview: only a third party's extension can be in preview."),
        (PIGEON, "publisher", "keyturn", "publisher: keyturn is kept for first-party extensions"),
        (PIGEON, "support", ABSENT, "support: a third party's extension says whom to turn to"),
        (PIGEON, "support.hours", ABSENT, "support: say in which hours support answers."),
        (PIGEON, "support.hours", "", "support: say in which hours support answers."),
        (PIGEON, "support.url", ABSENT, "support: give an e-mail address or a URL"),
        (PIGEON, "privacy_policy", ABSENT, "privacy_policy: a third party's extension has one"),
        (PIGEON, "terms", ABSENT, "terms: a third party's extension has terms of use"),
        # Facts and where they are from.
        ("zendesk", "steps.1.id", "event", "steps: event is there twice."),
        (PIGEON, "permissions.1.data", "tickets", "permissions: tickets is there twice."),
        ("slack", "steps.0.sources", [], "steps: task: its basis is official, so name the source."),
        ("slack", "domains.0.sources", ["a friend"], "domains: slack.com: 'a friend' is no public"),
        (PIGEON, "permissions.0.basis", "official", "permissions: tickets: its basis is official"),
        (PIGEON, "additional_domains.basis", "secondary", "additional_domains: its basis is sec"),
        (PIGEON, "schemes.0.basis", "official", "schemes: api-key: its basis is official"),
        (PIGEON, "schemes.1.rotation.basis", "official", "schemes: keeper: rotation: its basis is"),
        (PIGEON, "rotation.basis", "implementation", "rotation: its basis is implementation"),
        (PIGEON, "rotation.grace_seconds", 60, "rotation: grace_seconds goes with overlap_grace"),
        (PIGEON, "schemes.1.rotation.grace_seconds", 0, "schemes: keeper: rotation: grace_seconds"),
        (PIGEON, "schemes.0.ends_on", "2027-02-30", "schemes: api-key: ends_on is a year, a mont"),
        (PIGEON, "schemes.0.ends_on", "soon", "schemes: api-key: ends_on is a year, a month or"),
        # Settings, derived values and credential fields.
        (PIGEON, "settings.0.secret", True, "settings: loft cannot be secret, because settings"),
        (PIGEON, "settings.0.name", "Loft!", "settings: 'Loft!' is no name; use small letters"),
        (PIGEON, "settings.0.name", "access_token", "settings: access_token is what a try makes"),
        ("smtp-relay", "settings.1.name", "host", "settings: host is there twice."),
        ("smtp-relay", "settings.1.default", "none", "the default of port does not match its own"),
        (PIGEON, "settings.0.example", "Old Town", "the example of loft does not match its own"),
        (PIGEON, "settings.0.pattern", "[a-z", "settings: the pattern of loft cannot be used ("),
        (PIGEON, "settings.0.pattern", "a" * 501, "pattern of loft cannot be used (it is long"),
        (PIGEON, "settings.0.pattern", "(?=a)b", "(groups with `?` are not understood, other th"),
        (PIGEON, "schemes.0.fields.0.pattern", r"(k)\1", "api-key: the pattern of api_key cannot"),
        (PIGEON, "schemes.0.fields.0.default", "k3y", "api_key is secret and has a default, whic"),
        (PIGEON, "schemes.0.fields.0.example", "k3y", "api_key is secret and has an example; des"),
        (LEAVES, "schemes.0.fields.1.name", "client_id", "client-credentials: client_id is there"),
        (PIGEON, "schemes.0.fields.0.name", "loft", "schemes: api-key: loft is a setting too"),
        ("sftp-load", "schemes.0.fields.0.name", "folder", "ssh-key: folder is a setting too"),
        ("sftp-load", "derived.0.name", "path", "derived: path is a setting too, so a template"),
        ("sftp-load", "derived.0.name", "Folder", "derived: 'Folder' is no name"),
        ("sftp-load", "derived.0.first_of.0", "{way}", "folder is made from way, which is no sett"),
        ("sftp-load", "derived.0.first_of.0", "{folder}", "which is itself a derived value."),
        ("sftp-load", "derived.0.first_of.0", "{path", "derived: folder has a brace that opens"),
        # Schemes.
        (PIGEON, "schemes", [], "schemes: there is none, so nobody could connect."),
        (PIGEON, "schemes", PIGEON_SCHEMES[:1] * 2, "schemes: api-key is there twice."),
        (PIGEON, "schemes.0.recommended", False, "schemes: recommend exactly one of them"),
        (PIGEON, "schemes.1.recommended", True, "schemes: recommend exactly one of them"),
        (PIGEON, "schemes.1.fields.1.secret", False, "keeper: it has no secret field, so there"),
        (PIGEON, "schemes.0.probe.headers", {}, "api-key: the probe uses no secret, so its succ"),
        # Names in templates, and where a secret may stand.
        (PIGEON, "schemes.0.probe.url", LOFT + "/{me}", "the probe's url names me, no setting an"),
        (PIGEON, "schemes.0.probe.url", LOFT + "/{api_key}", "url would show the secret api_key."),
        (PIGEON, "schemes.0.probe.url", LOFT + "/{", "the probe's url has a brace that opens or"),
        (PIGEON, "schemes.0.probe.url", LOFT + "/{access_token}", "url names access_token, no set"),
        (LEAVES, "schemes.0.probe.headers", {"A": "{token}"}, "the probe's header A names token"),
        (PIGEON, "schemes.0.probe.headers", {"{api_key}": "x"}, "would show the secret api_key."),
        (LEAVES, "schemes.0.probe.token.url", "https://api.tea-leaves.example.org/{client_secret}",
         "the probe's token url would show the secret client_secret."),
        (LEAVES, "schemes.0.probe.token.scopes", ["{client_secret}"], "the probe's scopes would"),
        (PIGEON, "schemes.1.probe.authorize_parameters", {"s": "{client_secret}"}, "authorize par"),
        ("smtp-relay", "schemes.0.probe.username", "{user}", "username names user, no setting and"),
        ("smtp-relay", "schemes.0.probe.host", "{password}.example.com", "host would show the sec"),
        ("smtp-relay", "schemes.0.probe.port", "{port", "the probe's port has a brace that opens"),
        ("sftp-load", "schemes.0.probe.host_key", "{private_key}", "host_key would show the secre"),
        ("sftp-load", "schemes.0.probe.folder", "{path}", "folder needs path, which may be absent"),
        ("google-sheets", "schemes.1.probe.token.assertion.subject", "{private_key}", "subject wo"),
        ("google-sheets", "schemes.1.probe.token.assertion.claims", {"a": "{private_key}"},
         "the probe's claim a would show the secret private_key."),
        ("google-sheets", "schemes.1.probe.token.assertion.key_id", "k-{private_key_id}",
         "the probe's key_id needs private_key_id, which may be absent"),
        ("successfactors-employee-extract", "schemes.0.probe.token.assertion.audience", "{api_key}",
         "the probe's audience would show the secret api_key."),
        # Addresses.
        (PIGEON, "schemes.0.probe.url", "http://parcel-pigeon.example.net", "has to begin with ht"),
        (PIGEON, "schemes.0.probe.url", "https://me@evil.example.com/", "has no host, or more tha"),
        (PIGEON, "schemes.0.probe.url", "https:///v1", "the probe's url has no host, or more than"),
        (PIGEON, "schemes.0.probe.url", "https://a.example.org/", "asks a.example.org, which none"),
        (PIGEON, "schemes.0.probe.url", LOFT + ":8443/", "none of the extension's domains covers."),
        (PIGEON, "schemes.0.probe.url", "https://x{loft}.parcel-pigeon.example.net/", "domains co"),
        (PIGEON, "schemes.1.probe.token_url", "https://evil.example.com/", "the probe's token_url"),
        (PIGEON, "schemes.1.probe.authorize_url", "https://evil.example.com/", "the probe's autho"),
        (LEAVES, "schemes.0.probe.token.url", "https://evil.example.com/", "the probe's token url"),
        (LEAVES, "domains.0.rule", "*.tea-leaves.example.com", "asks api.tea-leaves.example.org"),
        ("webservice", "settings.1.pattern", "ftp://.*", "the pattern of probe_url has to begin w"),
        ("webservice", "settings.1.pattern", "https://a|x", "has to begin with https://, in each"),
        ("webservice", "settings.1.pattern", "(?:https://)?x", "with https://, in each of"),
        ("webservice", "settings.1.pattern", ABSENT, "the pattern of probe_url has to begin with"),
        ("webservice", "additional_domains.allowed", False, "probe_url, which may be anywhere: le"),
        ("servicenow", "derived.0.first_of.1", "{instance}.example.com", "asks {instance}.example"),
        ("servicenow", "derived.0.first_of.1", "{instance}/x", "asks {instance}/x, which none of"),
        ("servicenow", "schemes.1.probe.url", "https://" + "{host}" * 330, "url is too long, or"),
        (PIGEON, "schemes.0.probe.url", f"https://{'a' * 501}/", "url is too long, or can take"),
        # Statuses, rules and failures.
        (LEAVES, "schemes.0.probe.statuses", [99], "statuses have 99, which no answer ends with."),
        (LEAVES, "schemes.0.probe.statuses", [100], "statuses have 100, which no answer ends wit"),
        (LEAVES, "schemes.0.probe.statuses", [200, 200], "the probe's statuses have one twice."),
        (LEAVES, "schemes.0.probe.rules", [{"path": "a[0]", "op": "exists"}], "'a[0]' is no path;"),
        (LEAVES, "schemes.0.probe.rules", [{"path": "a", "op": "exists", "value": 1}], "takes no "),
        (LEAVES, "schemes.0.probe.rules", [{"path": "a", "op": "gt", "value": "1"}], "takes a num"),
        (LEAVES, "schemes.0.probe.rules", [{"path": "a", "op": "gt", "value": True}], "a number."),
        (LEAVES, "schemes.0.probe.label_path", "cup..owner", "the probe's label_path 'cup..owner'"),
        (LEAVES, "schemes.0.probe.label_path", "a.1234567890", "label_path 'a.1234567890'"),
        (LEAVES, "schemes.0.probe.label_path", ".".join("a" * 33), "the probe's label_path"),
        (LEAVES, "schemes.0.probe.token.token_path", "", "the probe's token_path '' is no path"),
        (LEAVES, "schemes.0.probe.failures", [{"verdict": "unknown"}], "neither a status nor a pa"),
        (LEAVES, "schemes.0.probe.failures", [{"status": 400, "value": 1, "verdict": "unknown"}],
         "a failure with a value and no path where it stands."),
        (LEAVES, "schemes.0.probe.failures", [{"path": "a b", "verdict": "unknown"}], "'a b' is n"),
        (LEAVES, "schemes.0.probe.failures", [{"status": 999, "verdict": "unknown"}], "status 999"),
        # The request and its token.
        (LEAVES, "schemes.0.probe.body", "{}", "sends a body, which goes with POST and not with G"),
        (LEAVES, "schemes.0.probe.headers", {"A B": "{access_token}"}, "'A B' is no name of a hea"),
        (LEAVES, "schemes.0.probe.headers", {"Host": "evil.example.com"}, "header Host is set by"),
        (LEAVES, "schemes.0.probe.headers", {"X": "1", "x": "2"}, "header x is there twice."),
        (LEAVES, "schemes.0.probe.basic", {"username": "a", "password": "{client_secret}"},
         "the probe has a header Authorization and basic, which is one too."),
        (LEAVES, "schemes.0.probe.token.url", ABSENT, "the probe's token has a url, unless its gr"),
        (LEAVES, "schemes.0.probe.token.client_secret", ABSENT, "which needs client_secret."),
        (LEAVES, "schemes.0.probe.token.grant", "password", "by password, which needs username."),
        (LEAVES, "schemes.0.probe.token.grant", "jwt_bearer", "which takes its own kind of assert"),
        ("google-sheets", "schemes.1.probe.token.grant", "saml_bearer", "its own kind of assertio"),
        ("snowflake-extract", "schemes.0.probe.token.url", "https://{account}.snowflakecomputing.com",
         "the probe's token has a url, unless its grant is assertion"),
        ("sftp-load", "schemes.0.probe.password", "x", "a password or with a private_key: name on"),
        ("sftp-load", "schemes.0.probe.private_key", ABSENT, "a passphrase and no private_key tha"),
        # Domains.
        (PIGEON, "domains.0.rule", "{server}.example.net", "{server}.example.net names server, wh"),
        (PIGEON, "domains.0.slots.loft", ABSENT, "The slot `loft` has no pattern"),
        (PIGEON, "domains.0.slots.more", SLOT, "There is a pattern for `more`, which the rule doe"),
        (PIGEON, "domains.0.slots.loft", "(", "The pattern of `loft` cannot be used"),
        (PIGEON, "domains.0.rule", "{loft}.example.net}", "A slot is `{name}` in small letters"),
        (LEAVES, "domains.0.rule", "127.0.0.1", "domains: 127.0.0.1: This is an IP address"),
        (LEAVES, "domains.0.rule", "leaves.internal", "is reserved for private or special use"),
        (LEAVES, "domains.0.rule", "*.amazonaws.com", "live several owners who have nothing to do"),
        (LEAVES, "domains.1.rule", "api.tea-leaves.example.org", "is there twice."),
    ],
)  # fmt: skip
def test_what_could_not_work_or_would_be_unsafe_is_refused(
    slug: str, place: str, value: Any, sentence: str
) -> None:
    found = told(slug, place, value)

    assert [one for one in found if sentence in one], found


@pytest.mark.parametrize(
    ("slug", "place", "value"),
    [
        (PIGEON, "support", {"name": "Keepers", "email": "a@pigeon.example", "hours": "always"}),
        (PIGEON, "preview", True),
        (PIGEON, "schemes.0.ends_on", "2028-02-29"),
        (PIGEON, "schemes.0.probe.url", LOFT + ":443/v1/me?x={loft}#{loft}"),
        (PIGEON, "schemes.0.probe.headers", {"A": "{api_key}", "{loft}": "x"}),
        (PIGEON, "domains.0", {"rule": "*.parcel-pigeon.example.net", "purpose": "All lofts."}),
        (LEAVES, "domains.0.rule", "API.tea-leaves.example.org:443"),
        (LEAVES, "schemes.0.probe.failures", [{"path": "a.0.b", "verdict": "unknown"}]),
        ("sftp-load", "schemes.0.probe.passphrase", ABSENT),
        ("webservice", "settings.1.pattern", "^(?:https://api|https://www).*$"),
        ("sftp-load", "settings.3.default", "/inbox"),
        ("smtp-relay", "domains", []),
        ("snowflake-extract", "schemes.0.probe.body", '{"a": {"b": "{user}"}}'),
    ],
)
def test_what_works_is_accepted(slug: str, place: str, value: Any) -> None:
    assert told(slug, place, value) == []


def test_a_sentence_is_printable_and_short_whatever_a_publisher_writes() -> None:
    [one] = told("slack", "domains.0.rule", "slack.com\x1b[2J" + "x" * 1900)[-1:]

    assert one.isprintable()
    assert len(one) <= 500


def hosts(*templates: str, rule: str = "{host}", **slots: str) -> list[str]:
    """Judge ServiceNow with a rule that the derived value `host` fills."""
    manifest = written("servicenow")
    manifest["derived"] = [{"name": "host", "first_of": list(templates)}]
    own = {"rule": rule, "purpose": "Its own.", "slots": {"host": "[a-z0-9.-]+", **slots}}
    manifest["domains"] = [*manifest["domains"], own]
    return problems_of(Manifest.model_validate(manifest))


@pytest.mark.parametrize(
    ("rule", "slots", "templates", "hidden"),
    [
        ("{host}", {}, ["{custom_host}", "evil.example.com"], "evil.example.com"),
        ("{host}", {}, ["evil"], "evil"),
        ("{host}:8443", {}, ["evil.example.com"], "evil.example.com"),
        ("{host}:{instance}", {"instance": "[0-9]+"}, ["evil.example.com"], "evil.example.com"),
        ("{host}", {}, ["{instance}.example.com"], "{instance}.example.com"),
        ("{host}", {}, ["{instance}evil{custom_host}"], "{instance}evil{custom_host}"),
    ],
)
def test_no_domain_hides_behind_a_slot_that_is_the_whole_host(
    rule: str, slots: dict[str, str], templates: list[str], hidden: str
) -> None:
    found = hosts(*templates, rule=rule, **slots)

    assert [one for one in found if f"{rule} can become {hidden}, which the list of d" in one], (
        found
    )


@pytest.mark.parametrize(
    ("rule", "templates"),
    [
        ("{host}", ["{custom_host}", "{instance}", "{instance}.{custom_host}"]),
        ("{host}.example.com", ["{instance}", "login"]),
        ("{host}.example.com", ["{instance}.eu"]),
    ],
)
def test_a_derived_value_may_fill_what_people_see(rule: str, templates: list[str]) -> None:
    assert not [one for one in hosts(*templates, rule=rule) if "can become" in one]
