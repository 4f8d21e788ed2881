"""Logging in to an SFTP server whose host key is known, and listing one folder."""

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import cast

import asyncssh
from asyncssh.saslprep import SASLPrepError
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.credential_vault.providers.dialling import (
    AddressRefusedError,
    Dialler,
    UnreachableError,
)
from services.credential_vault.providers.finding import Finding, FoundError
from services.credential_vault.providers.private_keys import KeyText
from services.credential_vault.providers.trouble import broken_off, late
from services.credential_vault.rules.addresses import Address
from services.credential_vault.rules.trial import Verdict

# At INFO it names the users who log in.
asyncssh.set_log_level(logging.WARNING)

_FAREWELL_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpLogin:
    """One login to be tried. Its secrets do not print."""

    address: Address
    host_key: asyncssh.SSHKey
    """The one key that the server may show."""
    username: str = field(repr=False)
    password: str | None = field(repr=False)
    private_key: KeyText | None
    folder: str
    clean: Callable[[str], str] = field(repr=False)
    """Makes of an answer what people may read."""

    @property
    def providers(self) -> tuple[str, ...]:
        return (str(self.address),)


def read_host_key(line: str) -> asyncssh.SSHKey:
    """Read one line of OpenSSH's public keys, or raise `FoundError`."""
    try:
        return asyncssh.import_public_key(line)
    except asyncssh.KeyImportError:
        raise FoundError(
            "settings_invalid",
            "The host key is no line such as `ssh-ed25519 AAAA…`: ask the server's operator for "
            "it.",
        ) from None


async def try_sftp_login(login: SftpLogin, dialler: Dialler, seconds: float) -> Finding:
    """Say what the server thinks of these credentials; whatever goes wrong is a finding too."""
    where = str(login.address)
    try:
        async with asyncio.timeout(seconds):
            await _log_in(login, dialler)
    except FoundError as found:
        return found.finding
    except AddressRefusedError as error:
        return Finding("address_refused", str(error))
    except UnreachableError as error:
        return Finding("provider_unreachable", str(error))
    except (asyncssh.Error, OSError) as error:
        return _judge(error, login, where)
    return Finding("accepted", f"{where} accepted the login, and listed the folder.")


async def _log_in(login: SftpLogin, dialler: Dialler) -> None:
    keys = None if login.private_key is None else [await _open(login.private_key)]
    connected = await dialler.connect(*login.address)
    try:
        async with _connection(login, keys, connected) as connection:
            client = await connection.start_sftp_client()
            # One name is enough: a folder may have millions.
            listed = cast("AsyncGenerator[asyncssh.SFTPName]", client.scandir(login.folder))
            async with aclosing(listed) as names:
                await anext(names, None)
    finally:
        # Its transport owns the descriptor, and closes it; that the connection ends is sure so.
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)


@asynccontextmanager
async def _connection(
    login: SftpLogin, keys: list[asyncssh.SSHKey] | None, connected: socket.socket
) -> AsyncGenerator[asyncssh.SSHClientConnection]:
    """Log in with what the account has, and with nothing that this machine has."""
    try:
        connection = await asyncssh.connect(
            sock=connected,
            config=None,
            known_hosts=([login.host_key], [], []),
            x509_trusted_certs=None,
            x509_trusted_cert_paths=[],
            username=login.username,
            password=login.password,
            client_keys=keys,
            agent_path=None,
            agent_forwarding=False,
            pkcs11_provider=None,
            gss_host=None,
            gss_kex=False,
            gss_auth=False,
            host_based_auth=False,
            kbdint_auth=False,
            public_key_auth=keys is not None,
            password_auth=login.password is not None,
            # A server that lets anybody in says nothing of the credentials.
            disable_trivial_auth=True,
            compression_algs=["none"],
        )
    except SASLPrepError:
        raise FoundError(
            "fields_invalid", "The user or the password has characters that cannot be sent."
        ) from None
    try:
        yield connection
    finally:
        connection.close()
        with suppress(TimeoutError, OSError, asyncssh.Error):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await connection.wait_closed()
        connection.abort()


async def _open(text: KeyText) -> asyncssh.SSHKey:
    key = await asyncio.to_thread(text.open)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        return asyncssh.import_private_key(pem)
    except asyncssh.KeyImportError:
        raise FoundError(
            "fields_invalid", f"The key in {text.name} is of a kind that SSH does not use."
        ) from None


def _judge(error: asyncssh.Error | OSError, login: SftpLogin, where: str) -> Finding:
    match error:
        case TimeoutError():
            return late(where)
        case asyncssh.SFTPNoConnection() | asyncssh.SFTPConnectionLost():
            return broken_off(where)
        case asyncssh.SFTPError():
            return _judge_folder(error, login, where)
        case asyncssh.PermissionDenied() if error.reason == _TRIVIAL:
            said = "lets anybody in. That does not show that the credentials are good."
            return Finding("credentials_refused", f"{where} {said}")
        case _:
            for kinds, verdict, said in _SAID:
                if isinstance(error, kinds):
                    return Finding(verdict, f"{where} {said}")
            return broken_off(where)


_TRIVIAL = "Trivial auth disabled"
_SAID: tuple[tuple[tuple[type[asyncssh.Error], ...], Verdict, str], ...] = (
    (
        (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed),
        "settings_invalid",
        "shows another host key than the settings give, so nothing was sent: ask who runs it.",
    ),
    ((asyncssh.PermissionDenied,), "credentials_refused", "did not accept the login."),
    (
        (asyncssh.ChannelOpenError,),
        "credentials_refused",
        "accepted the login, and offers it no SFTP.",
    ),
    (
        (asyncssh.ProtocolError, asyncssh.ProtocolNotSupported),
        "settings_invalid",
        "does not speak SSH as it should.",
    ),
)


def _judge_folder(error: asyncssh.SFTPError, login: SftpLogin, where: str) -> Finding:
    if isinstance(error, asyncssh.SFTPPermissionDenied):
        said = "does not let it list the folder."
        return Finding("credentials_refused", f"{where} accepted the login, and {said}")
    if isinstance(error, asyncssh.SFTPNoSuchFile | asyncssh.SFTPNoSuchPath):
        return Finding("settings_invalid", f"{where} accepted the login, and has no such folder.")
    reason = login.clean(error.reason)
    return Finding(
        "settings_invalid",
        f"{where} accepted the login, and cannot list the folder{f': {reason}' if reason else ''}.",
    )
