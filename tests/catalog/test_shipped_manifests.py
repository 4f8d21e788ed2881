"""The manifests that the catalog comes with: all of them, whole, and true to their facts."""

from collections.abc import Iterator
from typing import Any, cast, get_args

import jsonschema
import pytest
import yaml
from keyturn_contracts.catalog import Manifest, RotationFacts, Scheme, Sourced
from keyturn_contracts.domains import check_template
from keyturn_contracts.message import MAX_MESSAGE_BYTES, Part
from keyturn_contracts.probes import ConsentProbe, HttpProbe, SftpProbe, SmtpProbe

from services.catalog.jobs import MANIFESTS
from services.catalog.rules.manifest.schema import manifest_schema
from tests.catalog.manifests import ALL, EXAMPLE, SHIPPED, changed, written

AGREED = {
    "Adobe",
    "Brandwatch",
    "Extract Data from Google Drive",
    "Extract Data from SFTP Files",
    "Extract Data from Salesforce (Sandbox)",
    "Extract Data from Snowflake",
    "Extract Employee Data from SuccessFactors",
    "Extract Recruiting Data from SuccessFactors",
    "Facebook Reviews",
    "Freshdesk",
    "Google Calendar",
    "Google Sheets",
    "HubSpot",
    "Jira",
    "Load data into SFTP",
    "Marketo",
    "Microsoft Dynamics",
    "Microsoft Excel",
    "Microsoft Teams",
    "ReviewTrackers",
    "SMTP Relay",
    "Salesforce",
    "Salesforce (Sandbox)",
    "Salesforce Extractor",
    "ServiceNow",
    "Slack",
    "Text messages (SMS) via Infobip",
    "Text messages (SMS) via Link Mobility",
    "Text messages (SMS) via Sinch LiveLink",
    "WebService",
    "WhatsApp via Twilio",
    "Zendesk",
}
CONSENT_ALONE: set[str] = set()
"""Extensions that nobody can connect yet, for all their schemes wait for a browser."""

VALIDATOR = jsonschema.Draft202012Validator(manifest_schema())


def misfits(manifest: dict[str, Any]) -> list[str]:
    """Say where a manifest does not fit the published schema."""
    found: Iterator[Any] = VALIDATOR.iter_errors(manifest)  # pyright: ignore[reportUnknownMemberType]  its stub is partly unknown
    return [one.message for one in found]


each = pytest.mark.parametrize("slug", sorted(ALL))
each_shipped = pytest.mark.parametrize("slug", sorted(SHIPPED))


def facts_of(part: Part) -> Iterator[Sourced]:
    """Return every sourced thing in a manifest, at any depth."""
    if isinstance(part, Sourced):
        yield part
    for name in type(part).model_fields:
        inside = getattr(part, name)
        several = cast("tuple[object, ...]", inside if isinstance(inside, tuple) else (inside,))
        for one in several:
            if isinstance(one, Part):
                yield from facts_of(one)


def texts_of(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in cast("dict[str, object]", value).items():
            if name not in {"sources", "rule"}:
                yield from texts_of(one)
    elif isinstance(value, list):
        for one in cast("list[object]", value):
            yield from texts_of(one)
    elif isinstance(value, str):
        yield value


def scheme_of(slug: str, scheme: str) -> Scheme:
    [found] = [one for one in SHIPPED[slug].schemes if one.id == scheme]
    return found


def http_of(slug: str, scheme: str) -> HttpProbe:
    probe = scheme_of(slug, scheme).probe
    assert isinstance(probe, HttpProbe)
    return probe


def rotation_of(slug: str, scheme: str) -> RotationFacts:
    return scheme_of(slug, scheme).rotation or SHIPPED[slug].rotation


def test_the_32_that_were_agreed_are_shipped() -> None:
    assert {one.name for one in SHIPPED.values()} == AGREED
    assert len(SHIPPED) == len(AGREED) == 32
    assert {(one.party, one.publisher) for one in SHIPPED.values()} == {("first", "keyturn")}


@each
def test_it_fits_the_published_schema_as_it_is_and_as_it_is_written(slug: str) -> None:
    folder = MANIFESTS / "examples" if slug in EXAMPLE else MANIFESTS
    raw = yaml.safe_load((folder / f"{slug}.yaml").read_text(encoding="utf-8"))

    assert misfits(written(slug)) == []
    assert misfits(raw) == []


@each
def test_its_domains_are_rules_and_it_fits_a_message(slug: str) -> None:
    for one in ALL[slug].domains:
        check_template(one.rule, one.slots, wide_because=one.wide_because)
    assert len(ALL[slug].to_json()) < MAX_MESSAGE_BYTES / 10


@each
def test_it_says_all_that_a_page_shows(slug: str) -> None:
    manifest = ALL[slug]

    assert manifest.steps
    assert manifest.additional_domains is not None
    assert (manifest.support is not None) == (manifest.party == "third")
    assert all(one.title for scheme in manifest.schemes for one in scheme.fields)
    for scheme in manifest.schemes:
        if isinstance(scheme.probe, HttpProbe):
            assert {one.verdict for one in scheme.probe.failures} & {"credential_dead"}
    if not manifest.domains:
        assert manifest.may_add_domains


@each_shipped
def test_every_fact_says_what_it_is_based_on(slug: str) -> None:
    manifest = SHIPPED[slug]
    facts = list(facts_of(manifest))

    assert len(facts) >= 1 + len(manifest.steps) + len(manifest.schemes) + len(manifest.domains)
    assert [one for one in facts if "basis" not in one.model_fields_set] == []
    assert {one.basis for one in facts} <= {
        "official", "implementation", "secondary", "unverified"
    }  # fmt: skip
    assert all(one.sources for one in facts if one.confirmed)
    tried = [one for one in manifest.schemes if not isinstance(one.probe, ConsentProbe)]
    assert all("probe_basis" in one.model_fields_set for one in tried)


@each
def test_its_words_are_ours(slug: str) -> None:
    texts = list(texts_of(written(slug)))

    assert [one for one in texts if "qualtrics" in one.lower()] == []
    for sentences in (ALL[slug].gaps, *(one.caveats for one in ALL[slug].schemes)):
        assert all(one[0].isupper() and one.endswith(".") for one in sentences)
        assert len(set(sentences)) == len(sentences)


@each_shipped
def test_nobody_waits_for_a_browser_alone(slug: str) -> None:
    kinds = {type(one.probe) for one in SHIPPED[slug].schemes}

    assert (kinds <= {ConsentProbe}) == (slug in CONSENT_ALONE)


def test_the_examples_are_of_nobody_and_differ_in_what_they_show() -> None:
    shown = {one.slug: (one.preview, one.may_add_domains) for one in EXAMPLE.values()}

    assert shown == {
        "loud-mail": (True, True),
        "parcel-pigeon": (False, True),
        "tea-leaves": (False, False),
    }
    for one in EXAMPLE.values():
        assert (one.party, "(example)" in one.name) == ("third", True)
        assert one.by is not None
        assert "fictional" in one.by
        named = {rule.rule.partition(":")[0] for rule in one.domains} - {"{host}"}
        assert all(
            host.endswith((".example.com", ".example.net", ".example.org")) for host in named
        )


def test_kinds_of_schemes_are_as_many_as_the_facts_have() -> None:
    kinds: dict[str, int] = {}
    for manifest in SHIPPED.values():
        for scheme in manifest.schemes:
            kinds[scheme.probe.protocol] = kinds.get(scheme.probe.protocol, 0) + 1

    assert kinds == {"consent": 19, "http": 44, "sftp": 4, "smtp": 1}


def test_zendesk_judges_by_the_user_and_its_tokens_end() -> None:
    token, probe = scheme_of("zendesk", "api-token"), http_of("zendesk", "api-token")

    assert (token.ends_on, rotation_of("zendesk", "api-token").rotation_class) == (
        "2027-04-30", "impossible"
    )  # fmt: skip
    assert probe.basic is not None
    assert (probe.basic.username, probe.basic.password) == ("{email}/token", "{api_token}")
    assert [(one.path, one.op, one.value) for one in probe.rules] == [
        ("user.id", "exists", None),
        ("user.id", "ne", None),
    ]
    assert ("user.id", None, "credential_dead") in {
        (one.path, one.value, one.verdict) for one in probe.failures
    }


def test_where_200_means_nothing_the_content_is_judged() -> None:
    slack, marketo = http_of("slack", "bot-token"), http_of("marketo", "client-credentials")

    assert [(one.path, one.value) for one in slack.rules] == [("ok", True)]
    assert {one.value: one.verdict for one in slack.failures if one.path == "error"} == {
        "invalid_auth": "credential_dead",
        "account_inactive": "credential_dead",
        "token_revoked": "credential_dead",
        "token_expired": "credential_dead",
    }
    assert [(one.path, one.value) for one in marketo.rules] == [("success", True)]
    assert {one.value: one.verdict for one in marketo.failures if one.path == "errors.0.code"} == {
        "601": "credential_dead",
        "602": "credential_dead",
        "603": "alive_but_denied",
    }


@pytest.mark.parametrize(
    ("slug", "scheme", "expected", "grace"),
    [
        ("hubspot", "private-app-token", "overlap_grace", 604800),
        ("snowflake-extract", "programmatic-access-token", "overlap_grace", 86400),
        ("snowflake-extract", "keypair", "overlap_2", None),
        ("whatsapp-twilio", "api-key", "overlap_n", None),
        ("whatsapp-twilio", "auth-token", "overlap_2", None),
        ("servicenow", "oauth-user", "new_principal", None),
        ("servicenow", "api-key", "overlap_n", None),
        ("google-sheets", "service-account", "overlap_n", None),
        ("google-sheets", "oauth-user", "overlap_2", None),
        ("salesforce", "client-credentials", "overlap_2", None),
        ("successfactors-employee-extract", "saml-bearer", "new_principal", None),
        ("freshdesk", "api-key", "replace_in_place", None),
        ("sftp-load", "ssh-key", "overlap_n", None),
        ("sftp-load", "ssh-password", "replace_in_place", None),
        ("sms-link-mobility", "client-credentials", "vendor_support", None),
        ("webservice", "bearer", "operator_defined", None),
        ("adobe", "oauth-user", "reauthorize", None),
        ("microsoft-teams", "app-only", "overlap_n", None),
    ],
)
def test_how_a_provider_rotates(slug: str, scheme: str, expected: str, grace: int | None) -> None:
    facts = rotation_of(slug, scheme)

    assert (facts.rotation_class, facts.grace_seconds) == (expected, grace)


def test_every_class_of_rotation_occurs() -> None:
    used = {
        rotation_of(slug, one.id).rotation_class
        for slug, manifest in SHIPPED.items()
        for one in manifest.schemes
    }

    assert used == set(get_args(RotationFacts.model_fields["rotation_class"].annotation))


@pytest.mark.parametrize(
    ("slug", "scheme", "grant", "url"),
    [
        ("google-calendar", "service-account", "jwt_bearer", "https://oauth2.googleapis.com/token"),
        ("brandwatch", "password-grant", "password", "https://api.brandwatch.com/oauth/token"),
        ("snowflake-extract", "keypair", "assertion", None),
        ("successfactors-recruiting-extract", "saml-bearer", "saml_bearer",
         "https://{api_server}/oauth/token"),
        ("microsoft-dynamics", "app-only", "client_credentials",
         "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"),
    ],
)  # fmt: skip
def test_how_an_access_token_is_got(slug: str, scheme: str, grant: str, url: str | None) -> None:
    token = http_of(slug, scheme).token

    assert token is not None
    assert (token.grant, token.url) == (grant, url)


def test_successfactors_is_asked_for_a_new_token() -> None:
    token = http_of("successfactors-employee-extract", "saml-bearer").token

    assert token is not None
    assert token.parameters == {"company_id": "{company_id}", "new_token": "true"}


def test_servers_of_the_brands_own_are_reached_at_what_its_settings_say() -> None:
    for slug, kind, port in (
        ("sftp-extract", SftpProbe, "22"),
        ("sftp-load", SftpProbe, "22"),
        ("smtp-relay", SmtpProbe, "587"),
    ):
        manifest = SHIPPED[slug]
        assert {type(one.probe) for one in manifest.schemes} == {kind}
        assert [one.rule for one in manifest.domains] == ["{host}:{port}"]
        assert {one.name: one.default for one in manifest.settings}["port"] == port
    assert "host_key" in {one.name for one in SHIPPED["sftp-load"].settings}


def test_the_web_service_reaches_nothing_until_a_brand_says_so() -> None:
    manifest = SHIPPED["webservice"]

    assert (manifest.domains, manifest.may_add_domains) == ((), True)


@pytest.mark.parametrize(
    ("slug", "data"),
    [
        ("sftp-load", {"responses", "contacts"}),
        ("slack", {"responses"}),
        ("sms-infobip", {"contacts"}),
        ("snowflake-extract", set[str]()),
    ],
)
def test_what_is_read_of_the_brand(slug: str, data: set[str]) -> None:
    assert {one.data for one in SHIPPED[slug].permissions} == data


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("colour", "red"),
        ("settings.0.colour", "red"),
        ("settings.0.title", 7),
        ("schemes.0.probe.protocol", "telegraph"),
        ("schemes.0.probe.host_key", "ssh-ed25519 AAAA"),
        ("schemes.0.fields.0", {"name": "user"}),
        ("category", "E-mail!"),
        ("domains", "everywhere"),
        ("support", {"use": "no name"}),
        ("support", {"use": "ours.support", "colour": "red"}),
    ],
)
def test_the_schema_is_closed(place: str, value: object) -> None:
    assert misfits(changed("smtp-relay", place, value)) != []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("support", {"use": "ours.support"}),
        ("support", {"use": "ours.support", "hours": "always"}),
        ("settings", [{"use": "sftp.settings"}]),
        ("settings", {"use": "sftp.settings"}),
        ("settings.0.pattern", {"use": "pattern.host"}),
        ("domains.0.slots", {"host": {"use": "pattern.host"}}),
        ("schemes.0.probe", {"use": "mail.probe"}),
        ("steps.0.sources", [{"use": "smtp.relay"}, "https://example.com/"]),
    ],
)
def test_the_schema_lets_a_shared_part_stand_anywhere(place: str, value: object) -> None:
    assert misfits(changed("smtp-relay", place, value)) == []


def test_the_names_of_a_manifest_are_those_of_the_contract() -> None:
    assert set(manifest_schema()["properties"]) - {"use"} == set(Manifest.model_fields)
