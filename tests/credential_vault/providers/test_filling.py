"""Values in URLs, headers and bodies: encoded for their place, and never more than a value."""

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from services.credential_vault.providers.finding import Finding
from services.credential_vault.providers.http import HttpTry
from services.credential_vault.providers.https import Request
from services.credential_vault.providers.probes import fill_probe
from services.credential_vault.rules.trial import Verdict
from tests.credential_vault.probing import extension, http, secret_fields

HOST = {"host": "api.example.com", "port": "443"}
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def filled(probe: Any, settings: dict[str, str] | None = None, **given: str) -> Request | Finding:
    found = fill_probe(extension(probe), "only", {**HOST, **(settings or {})}, secret_fields(given))
    if isinstance(found, HttpTry):
        return found.fill(found.values)
    assert isinstance(found, Finding)
    return found


def asked(probe: Any, settings: dict[str, str] | None = None, **given: str) -> Request:
    made = filled(probe, settings, **given)
    assert isinstance(made, Request), made
    return made


def refused(probe: Any, settings: dict[str, str] | None = None, **given: str) -> Verdict:
    found = filled(probe, settings, **given)
    assert isinstance(found, Finding)
    return found.verdict


@tried(deadline=None)
@given(anything, anything)
def test_a_value_in_a_url_is_one_segment_and_one_parameter(segment: str, parameter: str) -> None:
    probe = http("/a/{path}/b?x={username}&y=1")
    if segment in {".", ".."}:
        assert refused(probe, {"path": segment}, username=parameter) == "settings_invalid"
        return
    made = asked(probe, {"path": segment}, username=parameter)

    assert made.target.isascii()
    assert made.target.isprintable()
    assert " " not in made.target
    parts = urlsplit(f"https://h{made.target}")
    assert [unquote(one) for one in parts.path.split("/")] == ["", "a", segment, "b"]
    assert parse_qsl(parts.query, keep_blank_values=True) == [("x", parameter), ("y", "1")]


@tried(deadline=None)
@given(anything)
def test_the_host_is_within_the_rules_whatever_a_value_is(value: str) -> None:
    probe = http().model_copy(update={"url": "https://{path}.example.com/x"})
    manifest = extension(probe, "*.example.com")

    found = fill_probe(manifest, "only", {**HOST, "path": value}, secret_fields({}))

    if isinstance(found, HttpTry):
        assert found.target.address.port == 443
        assert found.target.address.host.endswith(".example.com")
    else:
        assert isinstance(found, Finding)
        assert found.verdict in {"address_refused", "settings_invalid"}


@tried(deadline=None)
@given(st.one_of(anything, anything.map(lambda one: f"https://{one}")))
def test_a_whole_url_leads_nowhere_but_to_what_the_rules_let_through(url: str) -> None:
    probe = http().model_copy(update={"url": "{base_url}"})

    found = fill_probe(
        extension(probe, "api.example.com"), "only", {"base_url": url}, secret_fields({})
    )

    assert isinstance(found, Finding) or found.providers == ("api.example.com:443",)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://api.example.com", "/"),
        ("HTTPS://API.EXAMPLE.COM.:443/a%20b?q=1#part", "/a%20b?q=1"),
        ("https://api.example.com/ü ö", "/%C3%BC%20%C3%B6"),
        ("https://api.example.com?q={api_key}", "/?q=%7Bapi_key%7D"),
    ],
)
def test_a_whole_url_is_sent_as_it_stands(url: str, target: str) -> None:
    probe = http().model_copy(update={"url": "{base_url}"})
    made = asked(probe, {"base_url": url}, api_key="s3cret")

    assert (made.target, made.address) == (target, ("api.example.com", 443))


@pytest.mark.parametrize(
    ("url", "verdict"),
    [
        ("http://api.example.com/", "settings_invalid"),
        ("sftp://api.example.com/", "settings_invalid"),
        ("api.example.com", "settings_invalid"),
        ("https://api.example.com/a/../b", "settings_invalid"),
        ("https://api.example.com/a/%2e%2E/b", "settings_invalid"),
        ("https://ada:pw@api.example.com/", "address_refused"),
        ("https://api.example.com:444/", "address_refused"),
        ("https://api.example.com\\@evil.net/", "address_refused"),
        ("https://evil.net/https://api.example.com", "address_refused"),
    ],
)
def test_a_whole_url_that_is_read_in_two_ways_or_leads_elsewhere_is_refused(
    url: str, verdict: Verdict
) -> None:
    probe = http().model_copy(update={"url": "{base_url}"})

    assert refused(probe, {"base_url": url}) == verdict


def test_the_rest_of_a_url_follows_the_base_that_it_begins_with() -> None:
    probe = http().model_copy(update={"url": "{base_url}/v1/{username}"})

    made = asked(probe, {"base_url": "https://api.example.com/x"}, username="a/b")

    assert made.target == "/x/v1/a%2Fb"


@pytest.mark.parametrize(
    "url",
    [
        "https://{host}/{api_key}",
        "https://{host}/?k={api_key}",
        "https://{api_key}/",
        "{api_key}",
        "https://{host}/?t={access_token}",
    ],
)
def test_a_secret_in_a_url_is_refused(url: str) -> None:
    probe = http(token={"grant": "password", "url": "https://{host}/token"})

    assert refused(probe.model_copy(update={"url": url}), api_key="s3cret") == (
        "scheme_not_supported"
    )


@tried(deadline=None)
@given(anything)
def test_a_header_is_one_line_whatever_a_value_is(value: str) -> None:
    made = filled(http(headers={"x-key": "Key {api_key}"}), api_key=value)

    if isinstance(made, Finding):
        assert made.verdict == "fields_invalid"
        assert "api_key" in made.said
    else:
        [(name, sent)] = made.headers
        assert name == "x-key"
        assert sent == f"Key {value}".strip(" \t")
        assert sent.isascii()
        assert all(one == "\t" or one.isprintable() for one in sent)


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "a\x7fb", "ü", "a\u2028b"])
def test_what_would_end_a_header_is_refused_before_anything_is_sent(value: str) -> None:
    assert refused(http(headers={"x": "{api_key}"}), api_key=value) == "fields_invalid"
    assert refused(http(headers={"x": "{path}"}), {"path": value}) == "settings_invalid"


def test_a_header_whose_name_is_given_and_one_that_has_no_value() -> None:
    probe = http(headers={"{header_name}": "{header_prefix}{api_key}", "x-other": "{key_id}"})

    made = asked(probe, header_name="X-Api-Key", header_prefix="Key ", api_key="abc")
    plain = asked(probe, header_name="X-Api-Key", api_key="abc")

    assert made.headers == (("X-Api-Key", "Key abc"),)
    assert plain.headers == (("X-Api-Key", "abc"),)


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Transfer-Encoding", "Connection", "a b", "a:b", "a\r\nb"]
)
def test_a_header_that_says_where_a_request_goes_or_ends_is_refused(name: str) -> None:
    probe = http(headers={"{header_name}": "{api_key}"})

    assert refused(probe, header_name=name, api_key="abc") == "fields_invalid"


def test_a_header_is_given_once() -> None:
    probe = http(headers={"Accept": "application/json", "{header_name}": "{api_key}"})

    assert refused(probe, header_name="ACCEPT", api_key="abc") == "fields_invalid"


def test_a_user_with_a_colon_would_be_read_as_another() -> None:
    probe = http(basic={"username": "{username}", "password": "{password}"})

    assert refused(probe, username="a:b", password="c") == "fields_invalid"


@tried(deadline=None)
@given(anything, anything)
def test_a_value_in_json_is_one_string(username: str, password: str) -> None:
    body = '{"user": "{username}", "inner": [{"key": "k {password}"}], "n": 1}'
    probe = http(method="POST", headers={"Content-Type": "application/json"}, body=body)

    made = asked(probe, username=username, password=password)

    assert json.loads(made.content or b"") == {
        "user": username,
        "inner": [{"key": f"k {password}"}],
        "n": 1,
    }


@tried(deadline=None)
@given(anything, anything)
def test_a_value_in_a_form_is_one_field(username: str, password: str) -> None:
    probe = http(
        method="POST",
        headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
        body="grant_type=x&user={username}&password={password}",
    )

    made = asked(probe, username=username, password=password)

    assert parse_qsl((made.content or b"").decode(), keep_blank_values=True) == [
        ("grant_type", "x"),
        ("user", username),
        ("password", password),
    ]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", '{"n": {path}}'),
        ("text/plain", "{path}"),
        ("application/xml", "<a>{path}</a>"),
    ],
)
def test_a_body_that_a_value_could_change_is_not_sent(content_type: str, body: str) -> None:
    probe = http(method="POST", headers={"content-type": content_type}, body=body)

    assert refused(probe, {"path": "1"}) == "scheme_not_supported"


def test_a_body_without_values_is_sent_as_it_is() -> None:
    probe = http(method="POST", headers={"content-type": "text/xml"}, body="<a>{ 1 }</a>")

    assert asked(probe).content == b"<a>{ 1 }</a>"


def test_a_value_that_is_missing_is_named() -> None:
    finding = filled(http("/{path}"))

    assert isinstance(finding, Finding)
    assert finding.verdict == "settings_invalid"
    assert "path" in finding.said
