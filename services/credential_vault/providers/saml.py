"""SAML assertions that the vault signs for one try (RFC 7522), to be traded for an access token."""

import asyncio
import base64
from datetime import UTC, datetime

from keyturn_contracts.probes import SamlAssertion

from services.credential_vault.providers.certificates import CertificateText, certificate_text
from services.credential_vault.providers.private_keys import KeyText, key_text
from services.credential_vault.providers.values import Values


async def sign_saml(assertion: SamlAssertion, values: Values) -> str:
    """Return the signed assertion in base64, or raise `FoundError` where it cannot be made.

    The alphabet is that of RFC 4648, section 4, with padding: what SuccessFactors takes and every
    public program sends to it. RFC 7522, section 2.1, has the alphabet for URLs instead.
    """
    filled = _filled(assertion, values)
    key = key_text(values, assertion.private_key, None)
    certificate = certificate_text(values, assertion.certificate)
    # Opening a key and signing take a moment of work, in which others are to go on.
    return await asyncio.to_thread(_sign, filled, key, certificate)


def _filled(assertion: SamlAssertion, values: Values) -> SamlAssertion:
    """Return it with values in place of the templates that its XML is made of."""
    made: dict[str, object] = {
        name: values.fill_xml(name, getattr(assertion, name))
        for name in ("issuer", "subject", "audience", "recipient")
    }
    made["attributes"] = {
        values.fill_xml("name of an attribute", name): values.fill_xml(f"attribute {name}", one)
        for name, one in assertion.attributes.items()
        if values.fill_optional(one) is not None
    }
    return assertion.model_copy(update=made)


def _sign(filled: SamlAssertion, text: KeyText, certificate: CertificateText | None) -> str:
    # Imported here: its libraries take 26 MB, and most vaults never sign such an assertion.
    from services.credential_vault.providers.signing import signed_xml  # noqa: PLC0415  see above

    now = datetime.now(UTC)
    key = text.open_rsa()
    shown = None if certificate is None else certificate.read(key, text.name, now)
    return base64.b64encode(signed_xml(filled, key, shown, now)).decode()
