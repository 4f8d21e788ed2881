"""A token endpoint and an OData API as those of SuccessFactors: each client by its certificate."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from tests.credential_vault.web import Answer, Asked, reply

etree: Any = import_module("lxml.etree")

SAML = {"s": "urn:oasis:names:tc:SAML:2.0:assertion"}
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
DAY = timedelta(days=1)
_RSA_SHA256 = SignatureConfiguration(
    location="./",
    signature_methods=frozenset({SignatureMethod.RSA_SHA256}),
    digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
)


def certificate_of(key: Any, *, begins: timedelta = -DAY, ends: timedelta = DAY) -> str:
    """Return a certificate in PEM that the key gave itself; both times are from now."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "keyturn")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


def verified(assertion: str, certificate: str) -> Any:
    """Return what was signed of an assertion in base64, or raise `SignXMLException`."""
    xml = base64.b64decode(assertion, validate=True)
    verifier: Any = XMLVerifier()
    found = verifier.verify(
        xml, x509_cert=certificate, id_attribute="ID", expect_config=_RSA_SHA256
    )
    return found.signed_xml


def texts(root: Any, path: str) -> list[str]:
    """Return the texts or the attributes at a path whose names are SAML's."""
    found = root.xpath(path, namespaces=SAML)
    return [one if isinstance(one, str) else one.text or "" for one in found]


def instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")


@dataclass
class SuccessFactors:
    """Each client's certificate by its API key, and who may call, as the company's admin said."""

    clients: dict[str, str]
    entity: str = "User"
    company: str = "SFSALES012345"
    users: set[str] = field(default_factory=lambda: {"sfapi_extract"})
    recipient: str = ""
    may_read: bool = True
    assertions: list[str] = field(default_factory=list[str])
    spoil: Callable[[str], str] = str
    """What happens to an assertion on its way."""

    def answer(self, asked: Asked) -> Answer:
        path, _, query = asked.target.partition("?")
        if asked.method == "POST" and path == "/oauth/token":
            return self._token(asked.form)
        if path != f"/odata/v2/{self.entity}" or "$top=1" not in query:
            return reply(404, {"error": {"code": "NotFoundException", "message": {"value": "No."}}})
        if asked.bearer != f"of-{len(self.assertions)}":
            return reply(401, {"error": {"code": "LGN0001", "message": {"value": "Who?"}}})
        if not self.may_read:
            said = {"lang": "en-US", "value": f"User does not have permission for {self.entity}."}
            return reply(403, {"error": {"code": "COE_GENERAL_FORBIDDEN", "message": said}})
        return reply(200, {"d": {"results": []}})

    def _token(self, form: dict[str, str]) -> Answer:
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:saml2-bearer"
        assert form["new_token"] == "true"
        assert form.keys() == {
            *("grant_type", "client_id", "company_id", "new_token"),
            "assertion",
        }
        certificate = self.clients.get(form["client_id"])
        if certificate is None or form["company_id"] != self.company:
            return _refused("Unable to authenticate the client (unknown client or company)")
        try:
            signed = verified(self.spoil(form["assertion"]), certificate)
        except SignXMLException:
            # SAP note 3336571.
            return _refused(
                "Unable to verify the signature of the SAML assertion. Please ensure that the "
                "assertion has a signature and the key pairs match the client ID"
            )
        if not self._is_for_us(signed, form["client_id"]):
            return _refused("[LGN0022] The assertion is not made out to this server", 400)
        if texts(signed, "s:Subject/s:NameID")[0] not in self.users:
            # SAP note 2668018.
            return _refused("Unable to authenticate the client (Login failed - invalid user)")
        self.assertions.append(form["assertion"])
        token = f"of-{len(self.assertions)}"
        return reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": 86399})

    def _is_for_us(self, signed: Any, client: str) -> bool:
        conditions = signed.find("s:Conditions", SAML)
        confirmed = signed.find("s:Subject/s:SubjectConfirmation", SAML)
        data = confirmed.find("s:SubjectConfirmationData", SAML)
        now = datetime.now(UTC)
        attributes = dict(
            zip(
                texts(signed, "s:AttributeStatement/s:Attribute/@Name"),
                texts(signed, "s:AttributeStatement/s:Attribute/s:AttributeValue"),
                strict=True,
            )
        )
        return (
            texts(conditions, "s:AudienceRestriction/s:Audience") == ["www.successfactors.com"]
            and instant(conditions.get("NotBefore"))
            <= now
            < instant(conditions.get("NotOnOrAfter"))
            and confirmed.get("Method") == "urn:oasis:names:tc:SAML:2.0:cm:bearer"
            and data.get("Recipient") == self.recipient
            and now < instant(data.get("NotOnOrAfter"))
            and attributes["api_key"] == client
            and attributes["use_username"] == "true"
        )


def _refused(message: str, status: int = 401) -> bytes:
    return reply(status, {"errorHttpCode": str(status), "errorMessage": message})


def key_pair() -> tuple[rsa.RSAPrivateKey, str]:
    key = rsa.generate_private_key(65537, 2048)
    return key, certificate_of(key)
