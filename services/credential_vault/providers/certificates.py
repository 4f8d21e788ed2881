"""Certificates as people paste them beside a private key: read, and held against that key."""

from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509 import Certificate, load_pem_x509_certificate

from services.credential_vault.providers.finding import FoundError
from services.credential_vault.providers.values import Values, first_slot

_LONGEST = 20_000
"""Characters: room for a certificate with its chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateText:
    """A certificate that has not been read yet, and what its field is called."""

    name: str
    text: str

    def read(self, key: RSAPrivateKey, key_name: str, now: datetime) -> Certificate:
        """Return the certificate, or raise `FoundError` unless it is of this key and holds now."""
        if "PRIVATE KEY" in self.text:
            # The field is no secret: what stands in it may be shown.
            raise self._refused(
                f"The value of {self.name} has a private key in it: give the certificate alone."
            )
        try:
            certificate = load_pem_x509_certificate(self.text[:_LONGEST].encode())
            is_of_key = certificate.public_key() == key.public_key()
            begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        except (ValueError, UnsupportedAlgorithm):
            raise self._refused(
                f"The value of {self.name} is no certificate in PEM: paste all of it, from the "
                "line with BEGIN CERTIFICATE to the line with END CERTIFICATE."
            ) from None
        if not is_of_key:
            raise self._refused(
                f"The certificate in {self.name} is not of the key in {key_name}: give the two "
                "that belong together."
            )
        if now > ends:
            raise self._refused(
                f"The certificate in {self.name} ended on {ends.date()}: give a new one, with the "
                "key that it was made for, and register it with the provider."
            )
        if now < begins:
            raise self._refused(
                f"The certificate in {self.name} does not begin before {begins.date()}."
            )
        return certificate

    def _refused(self, said: str) -> FoundError:
        return FoundError("fields_invalid", said)


def certificate_text(values: Values, template: str | None) -> CertificateText | None:
    """Return the certificate that a template stands for; None where none was given."""
    text = values.fill_optional(template)
    if template is None or text is None:
        return None
    return CertificateText(name=first_slot(template) or "the certificate", text=text)
