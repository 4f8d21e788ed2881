"""Whose certificates are believed."""

import ssl
from pathlib import Path

import pytest

from deploy.demo.certificate import Certificate
from services.credential_vault.providers.trust import TrustRootsError, tls_context


def test_every_certificate_and_its_name_are_checked(certificate: Certificate) -> None:
    for roots in (None, certificate.root, certificate.root.parent):
        context = tls_context(roots)
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname


def test_trust_roots_that_are_missing_or_no_certificates_are_named(tmp_path: Path) -> None:
    empty = tmp_path / "folder"
    empty.mkdir()
    broken = tmp_path / "broken.pem"
    broken.write_text("not a certificate")

    for roots in (empty, broken, tmp_path / "missing.pem"):
        with pytest.raises(TrustRootsError, match=str(roots)):
            tls_context(roots)
