"""Opening private keys as people paste them."""

import base64
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from asyncssh.asn1 import ObjectIdentifier, der_encode
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from services.credential_vault.providers.finding import FoundError
from services.credential_vault.providers.private_keys import KeyText, PrivateKey
from tests.credential_vault.ssh import openssh, pem

KEYS: list[Any] = [
    rsa.generate_private_key(65537, 2048),
    ec.generate_private_key(ec.SECP256R1()),
    ed25519.Ed25519PrivateKey.generate(),
]


def opened(text: str, passphrase: str | None = None) -> PrivateKey:
    return KeyText(
        name="private_key", text=text, passphrase_name="passphrase", passphrase=passphrase
    ).open()


def refused(text: str, passphrase: str | None = None) -> str:
    with pytest.raises(FoundError) as found:
        opened(text, passphrase)
    assert found.value.finding.verdict == "fields_invalid"
    assert "private_key" in found.value.finding.said
    return found.value.finding.said


def public(key: Any) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: type(key).__name__)
def test_a_key_opens_in_every_form_that_people_have(key: Any) -> None:
    texts = [(pem(key), None), (pem(key), ""), (pem(key, "pass"), "pass")]
    texts += [(openssh(key), None), (openssh(key, "pass"), "pass")]
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        legacy = PrivateFormat.TraditionalOpenSSL
        texts += [(pem(key, form=legacy), None), (pem(key, "pass", legacy), "pass")]
    for text, passphrase in texts:
        for changed in (text, text.replace("\n", "\r\n"), f"\n  Comment\n{text}\nmore\n"):
            assert public(opened(changed, passphrase)) == public(key)


@pytest.mark.parametrize("kind", ["PRIVATE KEY", "ENCRYPTED PRIVATE KEY"])
def test_a_key_that_was_encoded_twice_opens(kind: str) -> None:
    """As SuccessFactors gives out its own, whatever it calls them."""
    inner = "".join(pem(KEYS[0]).strip().splitlines()[1:-1])
    for text in (inner, "\n".join(pem(KEYS[0]).strip().splitlines()[1:-1])):
        body = base64.encodebytes(text.encode()).decode()
        twice = f"-----BEGIN {kind}-----\n{body}-----END {kind}-----\n"
        assert public(opened(twice)) == public(KEYS[0])


@pytest.mark.parametrize("key", KEYS, ids=lambda key: type(key).__name__)
def test_a_passphrase_that_does_not_fit_is_told_apart(key: Any) -> None:
    assert "does not open" in refused(pem(key, "pass"), "wrong")
    assert "does not open" in refused(openssh(key, "pass"), "wrong")
    assert "give its passphrase" in refused(pem(key, "pass"))
    assert "give its passphrase" in refused(openssh(key, "pass"))
    assert "is not encrypted" in refused(pem(key), "pass")
    assert "is not encrypted" in refused(openssh(key), "pass")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        pem(KEYS[0]).replace("\n", "\\n"),
        pem(KEYS[0])[:-60],
        pem(KEYS[0]).replace("M", "N"),
        pem(KEYS[0]) + "x" * 5000,
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n!\n-----END ENCRYPTED PRIVATE KEY-----",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        + base64.b64encode(b"\x30\x80" * 1000).decode()
        + "\n-----END ENCRYPTED PRIVATE KEY-----",
    ],
)
def test_what_is_no_key_is_refused_without_its_content(text: str) -> None:
    for passphrase in (None, "pass"):
        said = refused(text, passphrase)
        assert "hunter2" not in said
        assert "AAAA" not in said


@settings(deadline=None)
@given(
    st.binary(max_size=300) | st.binary(max_size=300).map(lambda one: b"MII" + one),
    st.sampled_from(["", "ENCRYPTED ", "OPENSSH ", "RSA "]),
)
def test_whatever_stands_between_its_lines_is_a_finding(content: bytes, kind: str) -> None:
    body = base64.b64encode(content).decode()
    text = f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----"

    assert refused(text, "pass")


def test_a_key_of_a_kind_that_nobody_uses_is_refused() -> None:
    assert "none of RSA" in refused(pem(dsa.generate_private_key(2048)))


def encrypted(derivation: tuple[object, ...]) -> str:
    """Return a key that says how much work its passphrase takes."""
    cipher = (ObjectIdentifier("2.16.840.1.101.3.4.1.42"), os.urandom(16))
    scheme = (ObjectIdentifier("1.2.840.113549.1.5.13"), (derivation, cipher))
    content = base64.b64encode(der_encode((scheme, os.urandom(64)))).decode()
    return f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{content}\n-----END ENCRYPTED PRIVATE KEY-----"


def pbkdf2(iterations: int) -> str:
    prf = (ObjectIdentifier("1.2.840.113549.2.9"), None)
    oid = ObjectIdentifier("1.2.840.113549.1.5.12")
    return encrypted((oid, (os.urandom(16), iterations, prf)))


def scrypt(cost: int, block: int, parallel: int) -> str:
    oid = ObjectIdentifier("1.3.6.1.4.1.11591.4.11")
    return encrypted((oid, (os.urandom(16), cost, block, parallel)))


def bcrypt(rounds: int) -> str:
    def string(content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + content

    options = string(os.urandom(16)) + rounds.to_bytes(4, "big")
    head = b"openssh-key-v1\0" + string(b"aes256-ctr") + string(b"bcrypt") + string(options)
    content = base64.b64encode(head + os.urandom(64)).decode()
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{content}\n-----END OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    "text",
    [pbkdf2(2**31 - 1), pbkdf2(1_000_001), scrypt(2**30, 8, 1), scrypt(2**14, 8, 3), bcrypt(129)],
)
def test_a_passphrase_that_would_take_hours_is_not_tried(text: str) -> None:
    assert "far more work" in refused(text, "pass")


@pytest.mark.parametrize("text", [pbkdf2(2048), scrypt(2**14, 8, 1), bcrypt(16)])
def test_one_of_the_usual_effort_is_tried(text: str) -> None:
    assert "far more work" not in refused(text, "pass")


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs OpenSSH's ssh-keygen")
@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_the_command_that_the_sentence_names_does_help(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "key"
    make = ["ssh-keygen", "-q", "-t", kind, "-a", "129", "-N", "opens", "-f", str(file)]
    subprocess.run(make, check=True)
    said = refused(file.read_text(), "opens")
    assert "`ssh-keygen -p -m PKCS8 -f FILE`, with an empty new passphrase" in said

    change = ["ssh-keygen", "-p", "-m", "PKCS8", "-P", "opens", "-N", "", "-f", str(file)]
    subprocess.run(change, check=True, capture_output=True)

    assert opened(file.read_text())
