"""A real SFTP server for tests, made with asyncssh, which notes what it was ever sent."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)


def pem(key: Any, passphrase: str = "", form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, form, encryption).decode()


def openssh(key: Any, passphrase: str = "") -> str:
    return pem(key, passphrase, PrivateFormat.OpenSSH)


def for_ssh(key: Any) -> asyncssh.SSHKey:
    return asyncssh.import_private_key(pem(key))


HOST_KEY = for_ssh(Ed25519PrivateKey.generate())


def line_of(key: asyncssh.SSHKey) -> str:
    return key.export_public_key().decode().strip()


@dataclass
class SshServer:
    """Lets one user in by the passwords and the keys that work now."""

    port: int = 0
    passwords: set[str] = field(default_factory=set[str])
    keys: list[asyncssh.SSHKey] = field(default_factory=list[asyncssh.SSHKey])
    seen: list[str] = field(default_factory=list[str])
    """What was sent: users, passwords, and keys by their fingerprints."""
    needs_nothing: bool = False
    asks: list[str] = field(default_factory=list[str])

    @property
    def settings(self) -> dict[str, str]:
        return {"host": "localhost", "port": str(self.port), "host_key": line_of(HOST_KEY)}


class _Authenticates(asyncssh.SSHServer):
    def __init__(self, running: SshServer) -> None:
        self._running = running

    def begin_auth(self, username: str) -> bool:
        self._running.seen.append(username)
        return not self._running.needs_nothing

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._running.seen.append(password)
        return username == "keyturn" and password in self._running.passwords

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self._running.seen.append(key.get_fingerprint())
        known = {one.get_fingerprint() for one in self._running.keys}
        return username == "keyturn" and key.get_fingerprint() in known

    def kbdint_auth_supported(self) -> bool:
        return True

    def get_kbdint_challenge(
        self, username: str, lang: str, submethods: str
    ) -> tuple[str, str, str, list[tuple[str, bool]]]:
        self._running.asks.append(username)
        return "", "", "", [("Password: ", False)]


@asynccontextmanager
async def ssh_server(folder: Path, **options: Any) -> AsyncGenerator[SshServer]:
    """Run a server on a free port of 127.0.0.1, with this folder as its root."""
    running = SshServer()

    def sftp(channel: asyncssh.SSHServerChannel[bytes]) -> asyncssh.SFTPServer:
        return asyncssh.SFTPServer(channel, chroot=str(folder).encode())

    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        config=None,
        server_factory=lambda: _Authenticates(running),
        **{"server_host_keys": [HOST_KEY], "sftp_factory": sftp, **options},
    )
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        await server.wait_closed()
