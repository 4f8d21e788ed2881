"""SAML assertions: what stands in them, whatever people give, and what is refused before."""

import asyncio
import base64
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat
from cryptography.x509 import load_pem_x509_certificate
from hypothesis import given, settings
from hypothesis import strategies as st
from keyturn_contracts.probes import SamlAssertion

from services.credential_vault.providers.finding import FoundError
from services.credential_vault.providers.saml import sign_saml
from services.credential_vault.providers.values import Values
from tests.credential_vault.providers.successfactors import (
    DAY,
    EXCLUSIVE,
    certificate_of,
    etree,
    instant,
    key_pair,
    texts,
    verified,
)
from tests.credential_vault.ssh import pem

KEY, CERTIFICATE = key_pair()
ASSERTION = SamlAssertion(
    private_key="{private_key}",
    certificate="{certificate}",
    issuer="https://keyturn.example",
    subject="{username}",
    audience="https://api.example.com",
    recipient="https://{api_server}/token",
    attributes={"team": "{team}", "api_key": "{api_key}", "left_out": "{nothing}"},
)
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}"


def sign(given: Mapping[str, str], assertion: SamlAssertion = ASSERTION) -> str:
    settings = {"api_server": "api.example.com", "team": "a", "nothing": ""}
    names = {"username": "ada", "certificate": ""}
    secrets = {"private_key": pem(KEY), "api_key": "key-1"}
    values = Values(
        settings={name: given.get(name, one) for name, one in settings.items()},
        names={name: given.get(name, one) for name, one in names.items()},
        secrets={name: given.get(name, one) for name, one in secrets.items()},
    )
    return asyncio.run(sign_saml(assertion, values))


def refused(given: Mapping[str, str], assertion: SamlAssertion = ASSERTION) -> tuple[str, str]:
    with pytest.raises(FoundError) as found:
        sign(given, assertion)
    return found.value.finding.verdict, found.value.finding.said


def xml_of(assertion: str) -> Any:
    return etree.fromstring(base64.b64decode(assertion, validate=True))


def test_what_an_assertion_says() -> None:
    signed = verified(sign({}), CERTIFICATE)

    assert signed.get("Version") == "2.0"
    assert texts(signed, "s:Issuer") == ["https://keyturn.example"]
    assert texts(signed, "s:Subject/s:NameID") == ["ada"]
    assert texts(signed, "s:Subject/s:NameID/@Format") == [
        "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
    ]
    assert texts(signed, ".//s:SubjectConfirmation/@Method") == [
        "urn:oasis:names:tc:SAML:2.0:cm:bearer"
    ]
    assert texts(signed, ".//s:SubjectConfirmationData/@Recipient") == [
        "https://api.example.com/token"
    ]
    assert texts(signed, ".//s:Audience") == ["https://api.example.com"]
    assert texts(signed, "s:AuthnStatement/s:AuthnContext/s:AuthnContextClassRef") == [
        "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
    ]
    assert texts(signed, ".//s:Attribute/@Name") == ["team", "api_key"]
    assert texts(signed, ".//s:AttributeValue") == ["a", "key-1"]


def test_it_holds_for_some_minutes() -> None:
    signed = verified(sign({}), CERTIFICATE)

    issued = instant(signed.get("IssueInstant"))
    assert texts(signed, "s:AuthnStatement/@AuthnInstant") == [signed.get("IssueInstant")]
    begins, ends = (texts(signed, f"s:Conditions/@{one}") for one in ("NotBefore", "NotOnOrAfter"))
    assert texts(signed, ".//s:SubjectConfirmationData/@NotOnOrAfter") == ends
    assert instant(ends[0]) - issued == timedelta(minutes=5)
    assert issued - instant(begins[0]) == timedelta(minutes=5)


def test_each_has_an_id_of_its_own() -> None:
    ids = {xml_of(sign({})).get("ID") for _ in range(3)}

    assert len(ids) == 3
    assert all(one[0] == "_" and len(one) == 33 for one in ids)


def test_its_signature_stands_behind_the_issuer_and_is_of_the_whole() -> None:
    """The schema of SAML has it there, and what is not signed might be changed by others."""
    root = xml_of(sign({}))
    (reference,) = root.iter(f"{SIGNATURE}Reference")
    canonical = [
        root.find(f".//{SIGNATURE}CanonicalizationMethod").get("Algorithm"),
        *[one.get("Algorithm") for one in reference.iter(f"{SIGNATURE}Transform")],
    ]

    assert [etree.QName(one).localname for one in root] == [
        *("Issuer", "Signature", "Subject", "Conditions", "AuthnStatement"),
        "AttributeStatement",
    ]
    assert reference.get("URI") == f"#{root.get('ID')}"
    assert canonical == [
        EXCLUSIVE,
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        EXCLUSIVE,
    ]


def test_it_shows_the_certificate_or_else_the_public_key() -> None:
    def shown(assertion: str) -> list[str]:
        (info,) = xml_of(assertion).iter(f"{SIGNATURE}KeyInfo")
        return [etree.QName(one).localname for one in info]

    assert shown(sign({})) == ["KeyValue"]
    assert shown(sign({"certificate": CERTIFICATE})) == ["X509Data"]
    assert verified(sign({"certificate": CERTIFICATE}), CERTIFICATE) is not None


MARKUP = ["\r", "\r\n", "\n", "\t", " ", "<", ">", "&", "&#x41;", '"', "]]>", "<!-- -->", "{team}"]
NOT_XML = ["\x00", "\x1b", "\ufffe", "\uffff", "\ud800"]


def text_of(pieces: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.text(max_size=5) | st.sampled_from(pieces), max_size=8).map("".join)


anything = text_of(MARKUP) | text_of(MARKUP) | text_of(MARKUP + NOT_XML)
NAMES = ("username", "team", "api_key", "api_server")


@settings(deadline=None)
@given(given=st.fixed_dictionaries(dict.fromkeys(NAMES, anything)))
def test_any_text_comes_out_as_it_went_in_or_is_refused_by_name(given: dict[str, str]) -> None:
    not_in_xml = {name for name, one in given.items() if not _is_xml(one)}
    if not_in_xml:
        verdict, said = refused(given)
        named = said.removeprefix("The value of ").partition(" ")[0]
        assert named in not_in_xml
        assert verdict == (
            "settings_invalid" if named in {"team", "api_server"} else "fields_invalid"
        )
        assert "control character" in said
        return

    signed = verified(sign(given), CERTIFICATE)

    assert texts(signed, "s:Subject/s:NameID") == [given["username"]]
    found = dict(
        zip(
            texts(signed, ".//s:Attribute/@Name"), texts(signed, ".//s:AttributeValue"), strict=True
        )
    )
    # A template that is but a name without a value is left out.
    assert found == {name: given[name] for name in ("team", "api_key") if given[name]}
    assert texts(signed, ".//@Recipient") == [f"https://{given['api_server']}/token"]


def _is_xml(text: str) -> bool:
    """Say it as XML 1.0, section 2.2, does."""
    return all(
        one in "\t\n\r"
        or " " <= one <= "\ud7ff"
        or "\ue000" <= one <= "\ufffd"
        or one >= "\U00010000"
        for one in text
    )


def test_what_a_publisher_wrote_is_not_blamed_on_the_fields() -> None:
    for changed in ({"issuer": "a\x00b"}, {"attributes": {"a\x00b": "c"}}):
        assert refused({}, ASSERTION.model_copy(update=changed))[0] == "scheme_not_supported"


EC_KEY = ec.generate_private_key(ec.SECP256R1())
SHORT_KEY = rsa.generate_private_key(65537, 1024)  # noqa: S505  one that is refused


@pytest.mark.parametrize("key", [EC_KEY, SHORT_KEY])
def test_a_key_that_cannot_sign_it_is_refused(key: Any) -> None:
    assert refused({"private_key": pem(key)}) == (
        "fields_invalid",
        "The key in private_key has to be of RSA with 2048 bits or more.",
    )


def test_an_encrypted_key_is_refused_where_nothing_opens_it() -> None:
    for form in (PrivateFormat.PKCS8, PrivateFormat.OpenSSH):
        verdict, said = refused({"private_key": pem(KEY, "open", form)})
        assert verdict == "fields_invalid"
        assert "it is encrypted and there is no field for its passphrase" in said
        assert "ssh-keygen" in said


def test_what_is_no_key_is_refused_without_its_content() -> None:
    verdict, said = refused({"private_key": "hunter2"})
    assert verdict == "fields_invalid"
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hunter2", "is no certificate in PEM"),
        (CERTIFICATE[:-60], "is no certificate in PEM"),
        (CERTIFICATE.replace("M", "N"), "is no certificate in PEM"),
        (CERTIFICATE.replace("\n", "\\n"), "is no certificate in PEM"),
        ("-" * 20_000 + CERTIFICATE, "is no certificate in PEM"),
        (pem(KEY) + CERTIFICATE, "has a private key in it: give the certificate alone."),
        (key_pair()[1], "is not of the key in private_key"),
        (certificate_of(EC_KEY), "is not of the key in private_key"),
    ],
)
def test_what_is_no_certificate_of_the_key_is_refused(text: str, said: str) -> None:
    verdict, found = refused({"certificate": text})

    assert verdict == "fields_invalid"
    assert said in found
    assert "certificate" in found
    assert "hunter2" not in found


def test_a_certificate_that_does_not_hold_now_is_refused_with_its_date() -> None:
    ended = certificate_of(KEY, begins=-2 * DAY, ends=-DAY)
    coming = certificate_of(KEY, begins=DAY, ends=2 * DAY)

    verdict, said = refused({"certificate": ended})
    assert verdict == "fields_invalid"
    assert f"The certificate in certificate ended on {_date(ended, 'not_valid_after_utc')}" in said
    verdict, said = refused({"certificate": coming})
    assert verdict == "fields_invalid"
    assert f"does not begin before {_date(coming, 'not_valid_before_utc')}." in said


def _date(certificate: str, which: str) -> str:
    return getattr(load_pem_x509_certificate(certificate.encode()), which).date().isoformat()


def test_its_libraries_are_imported_by_no_vault_that_signs_none() -> None:
    """They take 26 MB: a vault of many processes would have them in each."""
    program = (
        "import sys, services.credential_vault.app, services.credential_vault.providers.saml\n"
        "assert not {'lxml', 'signxml'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
