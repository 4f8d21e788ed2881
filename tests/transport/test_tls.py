"""Outside of loopback HTTP is TLS, or something in front of it is."""

import datetime as dt
import ssl
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.http.server import HttpProblem, listen
from shared.settings import HttpSettings
from tests.transport.running import Given, free_port, in_thread
from tests.waiting import eventually


def test_another_address_is_refused_without_tls() -> None:
    with pytest.raises(HttpProblem, match="tokens would pass in clear"):
        listen(HttpSettings(host="0.0.0.0", port=free_port()))  # noqa: S104  what must be refused


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_needs_none(host: str) -> None:
    listen(HttpSettings(host=host, port=0)).close()


def test_an_operator_may_say_that_tls_ends_before() -> None:
    everybody = HttpSettings(host="0.0.0.0", port=0, tls_ends_before_me=True)  # noqa: S104  said to be so
    listen(everybody).close()


async def test_a_certificate_is_served(given: Given, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    http = HttpSettings(port=free_port(), tls_certificate=certificate, tls_key=key)
    trusting = ssl.create_default_context(cafile=certificate)
    with given.with_settings(http=http).process(tmp_path) as process:

        def ask() -> bool:
            assert process.popen.poll() is None, process.log.read_text()
            url = f"https://127.0.0.1:{http.port}/health/live"
            try:
                return httpx.get(url, verify=trusting).json() == {"live": True}
            except httpx.TransportError:
                return False

        await eventually(lambda: in_thread(ask))


def make_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(minutes=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_path, key_path
