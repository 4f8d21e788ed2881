"""SAML assertions as XML (SAML 2.0 Core), signed; imported only where one is made."""

import logging
import secrets
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509 import Certificate
from keyturn_contracts.probes import SamlAssertion
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

# At DEBUG it would log what it signs whole, and with it what a provider wants in there.
logging.getLogger("signxml").setLevel(logging.INFO)

_etree: Any = import_module("lxml.etree")
"""A module in C, of whose types nothing is known."""
_SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
_SIGNATURE = "http://www.w3.org/2000/09/xmldsig#"
_SCHEMA = "http://www.w3.org/2001/XMLSchema"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_UNSPECIFIED_NAME = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
_UNSPECIFIED_CONTEXT = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
_BASIC_NAME = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"
"""What programs that SuccessFactors takes assertions of say too: github.com/piejanssens/sf-oauth,
github.com/edersouza38/insomnia-plugin-sfsf-samlassertion, and Nango's `samlAssertion.ts`."""
_LIVES = timedelta(minutes=5)
_SKEW = timedelta(minutes=5)
"""How far a provider's clock may be behind."""


def signed_xml(
    assertion: SamlAssertion, key: RSAPrivateKey, certificate: Certificate | None, now: datetime
) -> bytes:
    """Return a signed assertion that says what is filled in: XML in ASCII.

    The signature is enveloped and by RSA with SHA-256, over exclusive canonical XML. It shows the
    certificate, or without one the public key.
    """
    signer: Any = XMLSigner(
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    shown = None if certificate is None else [certificate]
    signed = signer.sign(_unsigned(assertion, now), key=key, cert=shown, id_attribute="ID")
    return _etree.tostring(signed)


def _unsigned(assertion: SamlAssertion, now: datetime) -> Any:
    # A name of XML's begins with no digit.
    name, issued, ends = f"_{secrets.token_hex(16)}", _instant(now), _instant(now + _LIVES)
    root = _etree.Element(
        f"{{{_SAML}}}Assertion",
        {"ID": name, "Version": "2.0", "IssueInstant": issued},
        nsmap={"saml2": _SAML, "xs": _SCHEMA, "xsi": _INSTANCE},
    )
    _add(root, "Issuer", assertion.issuer)
    # Where the schema has the signature: the signer finds this, and puts its own there.
    _etree.SubElement(
        root, f"{{{_SIGNATURE}}}Signature", {"Id": "placeholder"}, nsmap={"ds": _SIGNATURE}
    )
    subject = _add(root, "Subject")
    _add(subject, "NameID", assertion.subject, Format=_UNSPECIFIED_NAME)
    confirmation = _add(subject, "SubjectConfirmation", Method=_BEARER)
    _add(confirmation, "SubjectConfirmationData", NotOnOrAfter=ends, Recipient=assertion.recipient)
    conditions = _add(root, "Conditions", NotBefore=_instant(now - _SKEW), NotOnOrAfter=ends)
    _add(_add(conditions, "AudienceRestriction"), "Audience", assertion.audience)
    statement = _add(root, "AuthnStatement", AuthnInstant=issued, SessionIndex=name)
    _add(_add(statement, "AuthnContext"), "AuthnContextClassRef", _UNSPECIFIED_CONTEXT)
    if assertion.attributes:
        _add_attributes(_add(root, "AttributeStatement"), assertion)
    return root


def _add_attributes(statement: Any, assertion: SamlAssertion) -> None:
    for name, value in assertion.attributes.items():
        attribute = _add(statement, "Attribute", Name=name, NameFormat=_BASIC_NAME)
        # Without its type, readers such as OpenSAML take it for XML of any kind and not for text.
        _add(attribute, "AttributeValue", value).set(f"{{{_INSTANCE}}}type", "xs:string")


def _add(parent: Any, tag: str, text: str | None = None, **attributes: str) -> Any:
    made = _etree.SubElement(parent, f"{{{_SAML}}}{tag}", attributes)
    made.text = text
    return made


def _instant(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
